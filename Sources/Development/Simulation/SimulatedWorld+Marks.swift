import Lapse
import RESP

/// Marks as they are heard, and those that do not come back over a feed that stands.
extension SimulatedWorld {
    /// A mark of any replica has come.
    func hear(_ mark: HeardMark, isOwn: Bool, _ feed: Feed, _ replica: Replica, _ connection: Connection) {
        guard let log = feed.log else { return }
        var waits = false
        hear("lapse:sim", Array(mark.text.utf8), feed, replica) { payload in
            guard let mark = HeardMark(payload), mark.runID == log.runID else { return }
            if isOwn { log.pinMark() }
            if isOwn || defect != .marksOfOthersPassed { waits = log.heard(mark) }
        }
        if waits { settleMarks(of: log, feed, replica, connection) }
    }

    /// The node is asked at once, and three times at most.
    private func settleMarks(
        of log: NodeLog, _ feed: Feed, _ replica: Replica, _ connection: Connection, unanswered looks: Int = 0
    ) {
        guard let heard = log.openClaims else { return }
        let node = nodes[feed.node]
        ask(replica, node: node, timeout: .seconds(1)) {
            node.process.counter
        } done: { [unowned self] counter in
            guard feed.connection === connection else { return }
            if let counter {
                log.settle(counter: counter, heard: heard, flagsWereFine: defect != .countedIsLost)
            } else if looks < 2 {
                return settleMarks(of: log, feed, replica, connection, unanswered: looks + 1)
            } else {
                log.abandonClaims()
            }
            trace.note("settled", replica.life, counter ?? 0, "\(log.runID) \(log.takeFound())")
            pump(replica)
        }
    }

    /// Whether a relay lies between a server and a subscriber.
    func swallowsMarks(_ connection: Connection) -> Bool {
        network.relays.contains {
            $0.place == connection.replica.place && $0.node == connection.feed.node && $0.until > now
        }
    }

    /// Two marks of two seconds each, and as long between them, tell: what comes over this feed is not
    /// handled until one comes back.
    func checkSaid(_ feed: Feed, _ replica: Replica, _ connection: Connection) {
        let patience = Duration.seconds(9)
        guard judges(.swallowedMarks), !feed.isNumbered, !feed.unnumbered.isEmpty, !feed.watch.marksGoUnanswered,
            !feed.isSilent, connection.isOpen, !connection.isDeaf, now - connection.beganAt > patience,
            // One that was stopped itself has had less time.
            now - replica.lastTrouble > patience
        else { return }
        ledger.violate(
            .said,
            "\(replica.id) hears \(feed.unnumbered.count) of \(connection.process.runID) without a mark, and says nothing"
        )
    }
}
