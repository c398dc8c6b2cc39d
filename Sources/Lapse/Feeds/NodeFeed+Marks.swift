import LeaderElectionRedis
import Logging
import NIOCore
import RedisClient
import Synchronization
import Timing

/// Marks give what a feed hears its exact numbers.
extension NodeFeed {
    func mark(
        _ subscription: Subscription, _ sink: FeedSink, _ watch: inout FeedWatch, _ flags: inout FlagsWatch
    ) async {
        let outcome = await mark(subscription, sink, flagsWereFine: flags.wereFine)
        watch.marked(outcome, now: monotonic)
        if outcome == .unanswered, watch.marksGoUnanswered {
            tell(RedisError(.protocolViolation, node: address, "marks do not come back over the feed"))
        }
        flags.marked()
        await dependencies.numbers.publishBase(of: sink.log)
    }

    private func mark(
        _ subscription: Subscription, _ sink: FeedSink, flagsWereFine: Bool
    ) async -> FeedWatch.MarkOutcome {
        let (floor, base) = (sink.log.floor, sink.log.base)
        let nonce = String(UInt64.random(in: .min ... .max), radix: 16)
        sink.expect(nonce)
        defer { sink.markDone() }
        do throws(RedisError) {
            let counter = try await Mark.take(
                nonce: nonce, channel: ElectionKeys.channel(dependencies.name), on: command,
                of: subscription.runID)
            let deadline = ContinuousClock.now + .seconds(2)
            while !sink.markArrived, subscription.isActive, ContinuousClock.now < deadline, !isOver {
                if await bell.wait(upTo: .milliseconds(100)) == .cancelled { return .failed }
            }
            // One that ends, or is silent, is told of as such.
            let stands = subscription.isActive && !sink.isSilent && !isOver
            guard sink.markArrived else { return stands ? .unanswered : .failed }
            guard let finding = sink.log.resolve(counter: counter, floor: floor, flagsWereFine: flagsWereFine) else {
                guard stands else { return .failed }
                tell(RedisError(.protocolViolation, node: address, "a count of \(counter) cannot be true"))
                return .unusable
            }
            report(finding, counter, grown: sink.log.base - base)
            report(sink.log.takeFound(), counter)
            dependencies.listeners.appended()
            current.withLock { $0.error = nil }
            return .numbered
        } catch {
            // What was heard here cannot be numbered by another server's count.
            if error.kind == .otherServer { subscription.close() }
            if !isOver { tell(error) }
            return .failed
        }
    }

    /// Marks of any replica whose word awaits the node's own.
    ///
    /// - Parameters:
    ///   - heard: how much was heard before the node was asked; nil where nothing waits.
    ///   - counter: nil when it did not answer.
    ///   - looks: how many it has left unanswered.
    func settleMarks(
        of log: NodeLog, heard: UInt64?, counter: UInt64?, flagsWereFine: Bool, unanswered looks: inout Int
    ) {
        guard let heard else {
            looks = 0
            return
        }
        if let counter {
            log.settle(counter: counter, heard: heard, flagsWereFine: flagsWereFine)
            report(log.takeFound(), counter)
            looks = 0
        } else {
            looks += 1
            // It goes on announcing, perhaps: that must not wait for ever.
            guard looks >= 3 else { return }
            log.abandonClaims()
            logger.notice("mark not confirmed", metadata: ["node": "\(address)"])
        }
        dependencies.listeners.appended()
    }

    /// Stands until the next mark that numbers.
    private func tell(_ error: RedisError) {
        let isNews = current.withLock { status in
            defer { status.error = error.description }
            return status.error != error.description
        }
        if isNews { logger.warning("mark failed", metadata: ["node": "\(address)", "error": "\(error.text)"]) }
    }

    private func report(_ missed: [ClosedRange<UInt64>], _ counter: UInt64) {
        for ordinals in missed { report(.missed(ordinals), counter, grown: 0) }
    }

    /// - Parameter grown: by how much the base has grown.
    private func report(_ finding: Numbering.Finding, _ counter: UInt64, grown: Int64) {
        var metadata: Logger.Metadata = ["node": "\(address)", "counter": .stringConvertible(counter)]
        if case .numbered = finding, grown > 0 {
            metadata["below"] = .stringConvertible(grown)
            logger.notice("expiration counter was reset while this replica did not listen", metadata: metadata)
        }
        switch finding {
        case .numbered(_, nil), .confirmed: logger.debug("numbering known", metadata: metadata)
        case .numbered(_, let missed?), .missed(let missed):
            metadata["count"] = .stringConvertible(missed.count)
            logger.warning("expirations missed", metadata: metadata)
        case .surplus(let count):
            metadata["count"] = .stringConvertible(count)
            dependencies.metrics.surplus(home, count)
            logger.warning("forged expirations heard", metadata: metadata)
        case .reset: logger.notice("expiration counter was reset", metadata: metadata)
        case .renumbered(_, let shift):
            metadata["shift"] = .stringConvertible(shift)
            logger.notice("numbered anew: the leader knew of forged expirations or a reset", metadata: metadata)
        }
    }
}
