import Lapse
import RedisClient
import Timing

/// A feed finds its server, claims the log of its process, and subscribes.
extension SimulatedWorld {
    func openFeeds(_ replica: Replica) {
        replica.opensFeeds = true
        followView(replica)
    }

    /// Meets the server first, and subscribes then: the log knows of the subscription from before the
    /// server does.
    func connect(_ feed: Feed, _ replica: Replica) {
        guard !feed.isGivenUp else { return }
        let node = nodes[feed.node]
        reach(node, feed, replica) { _ in
            node.process.runID
        } done: { [unowned self] runID in
            guard let runID, let log = claim(runID, feed, replica) else { return connectLater(feed, replica) }
            reach(node, feed, replica) { back -> Connection? in
                guard node.process.runID == runID else { return nil }
                let connection = Connection(replica: replica, feed: feed, process: node.process)
                node.connections.append(connection)
                connection.lastArrival = back
                return connection
            } done: { [unowned self] connection in
                if let connection { return subscribed(feed, replica, connection, log) }
                log.subscriptionEnded(now: replica.clock.milliseconds(now))
                connectLater(feed, replica)
            }
        }
    }

    private func connectLater(_ feed: Feed, _ replica: Replica) {
        let wait = feed.backoff.next(random: Double(random.pick(1000)) / 1000)
        after(wait, in: replica) { [unowned self] in connect(feed, replica) }
    }

    /// What a server answers to a feed that is not subscribed yet; nil when it cannot be reached, or is not
    /// the one that is meant.
    ///
    /// - Parameter operation: at the server; it gets the time at which its answer arrives.
    private func reach<Reply>(
        _ node: SimulatedNode, _ feed: Feed, _ replica: Replica, _ operation: @escaping (Duration) -> Reply?,
        done: @escaping (Reply?) -> Void
    ) {
        let trip = trip(replica)
        guard !trip.isLost, !trip.answerIsLost else { return after(.seconds(1), in: replica) { done(nil) } }
        after(trip.there) { [unowned self] in
            guard replica.isAlive else { return }
            guard node.answers(now), node.refusesUntil <= now, !isRefused(replica, feed.node),
                isMeant(node, at: feed.address, by: replica)
            else {
                return after(node.isFrozen(now) ? .seconds(2) : .milliseconds(1), in: replica) { done(nil) }
            }
            let reply = operation(now + trip.back)
            after(trip.back, in: replica) { done(reply) }
        }
    }

    private func subscribed(_ feed: Feed, _ replica: Replica, _ connection: Connection, _ log: NodeLog) {
        trace.note("subscribed", replica.life, UInt64(feed.node), connection.process.runID)
        // Until the leader has found out about a reset, and written it, a newcomer numbers by the old base.
        if let resetAt = connection.process.resetAt, now - resetAt < .seconds(5) { connection.process.isExact = false }
        connection.beganAt = now
        feed.connection = connection
        feed.log = log
        feed.watch = FeedWatch(patience: 3)
        feed.isSilent = false
        feed.wasSilent = false
        feed.ping = PingWatch()
        feed.pingedAt = replica.looks
        feed.since = replica.looks
        feed.isNumbered = false
        feed.unnumbered = []
        feed.backoff.reset()
        guard connection.isOpen else { return close(feed, replica, connection) }
        askForProgress(replica)
        inform(log, replica)
        ping(feed, replica, connection)
        feed.isNewcomer = log.counts.last == nil
        if feed.isNewcomer {
            log.awaitPeers()
            return listen(feed, replica, connection)
        }
        // A replica that heard the process all the while knows of resets and forged messages that this one
        // missed.
        askAboutNumbers(of: log, replica) { [unowned self] in listen(feed, replica, connection) }
    }

    /// The log for a feed to fill; nil while another one listens to the same process.
    private func claim(_ runID: String, _ feed: Feed, _ replica: Replica) -> NodeLog? {
        guard defect == .addressBelieved else {
            return replica.logs.claim(runID, at: feed.address, uptime: nil, now: 0)
        }
        let log = replica.logs.log(of: runID, at: feed.address)
        log.subscriptionBegan()
        return log
    }
}
