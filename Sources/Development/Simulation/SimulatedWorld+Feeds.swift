import Lapse
import LeaderElection
import NIOCore
import RESP
import RedisClient
import Timing

extension SimulatedWorld {
    /// Sends through a subscription, in order.
    func send(_ message: FeedMessage, _ connection: Connection) {
        guard connection.isOpen, !connection.isDeaf else { return }
        let isLate = network.badUntil > now && random.chance(network.badness)
        let delay = isLate ? random.milliseconds(1...300) : random.microseconds(80...700)
        let node = nodes[connection.feed.node]
        connection.lastArrival = max(connection.lastArrival + (node.slowUntil > now ? node.gap : .zero), now + delay)
        connection.underWay += 1
        let replica = connection.replica
        after(connection.lastArrival - now, in: replica) { [unowned self] in
            connection.underWay -= 1
            connection.lastByteAt = now
            if connection.isOpen, connection.feed.connection === connection {
                receive(message, connection.feed, replica, connection)
            }
        }
    }

    private func receive(_ message: FeedMessage, _ feed: Feed, _ replica: Replica, _ connection: Connection) {
        if defect != .pongOnly {
            feed.ping.heard()
            feed.hasHeard = true
            if feed.isSilent { feed.hasSpoken = true }
        }
        switch message {
        case .expired(let ordinal):
            hear(EventChannel.name(0), connection.process.announced[Int(ordinal) - 1].key, feed, replica)
            connection.process.announced[Int(ordinal) - 1].hearers.insert(replica.life)
            heardLock(connection.process.announced[Int(ordinal) - 1].key, replica)
            if !feed.isNumbered { feed.unnumbered.append(ordinal) }
            pump(replica)
        case .forged(let key):
            hear(EventChannel.name(0), key, feed, replica)
            pump(replica)
        case .words(let text): hearWords(text, feed, replica)
        case .mark(let mark):
            let isOwn = feed.mark?.nonce == mark.nonce
            hear(mark, isOwn: isOwn, feed, replica, connection)
            guard isOwn else { return }
            feed.mark?.arrived = true
            resolveMark(feed, replica, connection)
        case .pong:
            feed.since = feed.pingedAt
            if feed.ping.answered() {
                feed.isSilent = false
                silenceChanged(feed, replica)
            }
        case .repair(let request): answerPeer(request, replica)
        }
    }

    /// The message as its bytes come, through the product's own reader into its own log.
    func hear(
        _ channel: String, _ payload: [UInt8], _ feed: Feed, _ replica: Replica,
        control: (RawSpan) -> Void = { _ in }
    ) {
        var bytes = ByteBuffer()
        var command = RESPCommand("message", channel)
        command.append(payload)
        command.encode(into: &bytes)
        let time = replica.clock.milliseconds(now)
        do throws(ProtocolError) {
            try reader.read(bytes) { batch in
                _ = feed.log?.take(batch, now: time, since: feed.since, look: replica.looks, control: control)
            }
        } catch { ledger.violate(.position, "\(error)") }
    }

    // MARK: - Watching over it

    /// Once a second: a mark when one is due, and a look at the counter.
    func listen(_ feed: Feed, _ replica: Replica, _ connection: Connection) {
        guard feed.connection === connection else { return }
        let time = replica.clock.read(now).monotonic
        if feed.watch.isMarkDue(now: time, isProvisional: feed.log?.isProvisional == true) {
            // One at a time: a mark for a peer's sake may be under way.
            guard feed.mark == nil else {
                return after(.milliseconds(50), in: replica) { [unowned self] in listen(feed, replica, connection) }
            }
            return mark(feed, replica, connection)
        }
        inspect(feed, replica, connection)
    }

    func mark(_ feed: Feed, _ replica: Replica, _ connection: Connection) {
        feed.marks += 1
        feed.floorAtMark = feed.log?.floor ?? 0
        let nonce = "\(replica.id)-\(feed.node)-\(feed.marks)"
        feed.mark = (nonce, false, nil)
        let node = nodes[feed.node]
        ask(replica, node: node) { [unowned self] in
            let mark = HeardMark(runID: node.process.runID, counter: node.process.counter, nonce: nonce)
            for connection in node.connections where !swallowsMarks(connection) { send(.mark(mark), connection) }
            return node.process.counter
        } done: { [unowned self] counter in
            guard feed.mark?.nonce == nonce, feed.connection === connection else { return }
            guard let counter else { return marked(.failed, feed, replica, connection) }
            feed.mark?.counter = counter
            resolveMark(feed, replica, connection)
            after(.seconds(2), in: replica) { [unowned self] in
                if feed.mark?.nonce == nonce, feed.connection === connection {
                    marked(defect == .swallowedIsFailed ? .failed : .unanswered, feed, replica, connection)
                }
            }
        }
    }

    private func resolveMark(_ feed: Feed, _ replica: Replica, _ connection: Connection) {
        guard let mark = feed.mark, mark.arrived, let counter = mark.counter else { return }
        let finding = feed.log?.resolve(
            counter: counter, floor: feed.floorAtMark, flagsWereFine: defect != .countedIsLost)
        trace.note("marked", replica.life, counter, "\(feed.log?.runID ?? "") \(finding.map { "\($0)" } ?? "nothing")")
        if connection.process.wasResetUnheard, case .numbered = finding {
            connection.process.wasResetUnheard = false
            connection.process.isUndecidable = Int64(counter) + (feed.log?.base ?? 0) >= Int64(feed.floorAtMark)
        }
        marked(finding == nil ? .unusable : .numbered, feed, replica, connection)
        pump(replica)
    }

    private func marked(
        _ outcome: FeedWatch.MarkOutcome, _ feed: Feed, _ replica: Replica, _ connection: Connection
    ) {
        feed.watch.marked(outcome, now: replica.clock.read(now).monotonic)
        if !feed.watch.isFirstMark {
            feed.isNumbered = true
            connection.numberedAt = connection.numberedAt ?? now
            feed.unnumbered = []
        }
        if let log = feed.log { tell(baseOf: log, replica) }
        let wasForPeer = feed.isMarkForPeer
        feed.endMark()
        // A peer's mark comes between two looks.
        if wasForPeer { return }
        guard feed.isNewcomer, !feed.watch.isFirstMark, let log = feed.log else {
            return inspect(feed, replica, connection)
        }
        feed.isNewcomer = false
        askAboutNumbers(of: log, replica) { [unowned self] in
            guard feed.connection === connection else { return }
            log.peersWereAsked()
            pump(replica)
            guard log.isProvisional, feed.mark == nil else {
                return inspect(feed, replica, connection)
            }
            mark(feed, replica, connection)
        }
    }

    private func inspect(_ feed: Feed, _ replica: Replica, _ connection: Connection) {
        guard feed.connection === connection, let log = feed.log else { return }
        settleOld(feed, replica)
        checkSaid(feed, replica, connection)
        let before = log.counts.last
        let floor = log.floor
        let node = nodes[feed.node]
        ask(replica, node: node, timeout: .seconds(1)) {
            node.process.counter
        } done: { [unowned self] counter in
            guard feed.connection === connection else { return }
            feed.watch.looked(mended: false)
            if let counter, let before, let last = log.counts.last, !feed.isSilent {
                log.saw(counter: counter, floor: floor)
                feed.watch.saw(announced: Int64(counter) + log.base, before: before, now: last)
            }
            let hasHeard = feed.hasHeard
            feed.hasHeard = false
            if feed.isSilent, counter != nil {
                switch feed.watch.answersElsewhere(hasHeard: hasHeard, hasSpoken: feed.hasSpoken) {
                case .unknown: break
                case .connection:
                    trace.note("acquitted", replica.life, UInt64(feed.node))
                    if let silence = log.openSilence { log.acquit(silence) }
                case .dead:
                    checkIdle(connection)
                    return close(feed, replica, connection)
                }
            }
            after(.seconds(1), in: replica) { [unowned self] in listen(feed, replica, connection) }
        }
    }

    /// Every half second: a ping each second, and whether the last one was answered.
    func ping(_ feed: Feed, _ replica: Replica, _ connection: Connection) {
        after(.milliseconds(500), in: replica) { [unowned self] in
            guard feed.connection === connection else { return }
            switch feed.ping.tick() {
            case .none: break
            case .silent:
                feed.isSilent = true
                feed.hasSpoken = false
                trace.note("silent", replica.life, UInt64(feed.node))
                feed.log?.doubt()
                silenceChanged(feed, replica)
            case .ping:
                feed.pingedAt = replica.looks
                let node = nodes[feed.node]
                after(random.microseconds(80...700)) { [unowned self] in
                    let pong = { [unowned self] in send(.pong, connection) }
                    if node.isFrozen(now) { node.deferred.append(pong) } else if node.isUp { pong() }
                }
            }
            ping(feed, replica, connection)
        }
    }

    private func silenceChanged(_ feed: Feed, _ replica: Replica) {
        guard feed.isSilent != feed.wasSilent else { return }
        feed.wasSilent = feed.isSilent
        feed.watch.silenceChanged()
        if !feed.isSilent, let log = feed.log { settle(log, replica, attempts: 50) }
    }

    private func settleOld(_ feed: Feed, _ replica: Replica) {
        let address = feed.address
        for log in replica.logs.all where log.address == address {
            guard let silence = log.openSilence else { continue }
            if log !== feed.log {
                log.abandonDoubt(about: silence)
            } else if !feed.isSilent || feed.hasSpoken {
                settle(log, replica, attempts: 3)
            }
        }
    }

    /// The subscription has ended, or is given up.
    func close(_ feed: Feed, _ replica: Replica, _ connection: Connection) {
        connection.isOpen = false
        nodes[feed.node].connections.removeAll { $0 === connection }
        guard feed.connection === connection, let log = feed.log else { return }
        trace.note("unsubscribed", replica.life, UInt64(feed.node), log.runID)
        feed.connection = nil
        feed.endMark()
        log.subscriptionEnded(now: replica.clock.milliseconds(now))
        for ordinal in feed.unnumbered where allowances.contains(.unmarked) {
            connection.process.announced[Int(ordinal) - 1].hearers.remove(replica.life)
        }
        feed.unnumbered = []
        if log.openSilence != nil { settle(log, replica, attempts: 3, isLast: true) }
        let wait = feed.backoff.next(random: Double(random.pick(1000)) / 1000)
        after(wait, in: replica) { [unowned self] in connect(feed, replica) }
    }

    /// The server's side is gone: what was on its way is lost, and the replica hears of it a little later.
    func breakConnections(of node: SimulatedNode, noticedAfter delay: Duration) {
        for connection in node.connections { cut(connection, noticedAfter: delay) }
        node.connections = []
    }

    func cut(_ connection: Connection, noticedAfter delay: Duration) {
        connection.isOpen = false
        let replica = connection.replica
        after(delay, in: replica) { [unowned self] in close(connection.feed, replica, connection) }
    }
}
