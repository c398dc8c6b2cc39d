import Lapse

/// Marks that do not come back over a feed that stands.
extension SimulatedWorld {
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
