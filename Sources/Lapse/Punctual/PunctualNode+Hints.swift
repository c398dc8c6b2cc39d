import Logging
import NIOCore
import RedisClient
import Synchronization
import Timing

/// The connection that brings the hints.
extension PunctualNode {
    /// A longer key is none that is kept: it is passed over byte by byte.
    private static let messageBytes = KeyArena.longestKey
    /// A hint is about a time ahead: it may wait for a few more.
    private static let gathering = Duration.milliseconds(4)
    private static let doubt = "none has come in a minute, and whether notify-keyspace-events has g is not known"

    func listen() async {
        var reconnection = Reconnection(Backoff(first: .milliseconds(50), cap: .seconds(5)))
        var told: String?
        while !isOver {
            let sink = HintSink(self) { [hintBell] in hintBell.ring() }
            do throws(RedisError) {
                let subscription = try await Subscription.open(
                    to: address, settings: dependencies.hintSettings, channels: HintChannel.names(Int(database)),
                    messageBytes: Self.messageBytes, gathering: Self.gathering, on: dependencies.loop
                ) { _ in .success(sink) }
                subscription.closed.whenComplete { [hintBell] _ in hintBell.ring() }
                reconnection.begins(now: monotonic)
                await follow(subscription, sink, &reconnection, &told)
                subscription.close()
                hints(false)
                if reconnection.ends(now: monotonic), !isOver {
                    complain("the connection ends soon after it was opened", &told)
                }
            } catch {
                // Given up with the term.
                if isOver { return }
                complain(error.text, &told)
            }
            let due = monotonic + reconnection.next()
            // The bell may still ring for the connection that is gone.
            while !isOver, await hintBell.wait(upTo: due - monotonic) == .rung {}
        }
    }

    private var monotonic: Duration { .nanoseconds(now) }

    private func complain(_ reason: String, _ told: inout String?) {
        guard told != reason else { return }
        told = reason
        dependencies.logger.warning(
            "no hints: sweeping instead", metadata: ["node": "\(address)", "reason": "\(reason)"])
    }

    /// Until the connection is gone or silent, or another server answers at its address.
    private func follow(
        _ subscription: Subscription, _ sink: HintSink, _ reconnection: inout Reconnection, _ told: inout String?
    ) async {
        var evidence = HintEvidence(begunAt: monotonic)
        var hasLived = false
        // What was set while no connection heard hints.
        pace.withLock { $0.want() }
        repeat {
            evidence.looked(flags: dependencies.notifications(address), hasHeard: sink.hasHeard)
            hints(evidence.areHeard)
            if evidence.isElsewhere(own: subscription.runID, feed: dependencies.process(address)) { return }
            switch await hintBell.wait(upTo: .seconds(1)) {
            case .timeout: break
            case .rung, .cancelled: return
            }
            if reconnection.lives(now: monotonic) { hasLived = true }
            if evidence.isInDoubt(now: monotonic) { complain(Self.doubt, &told) }
            if hasLived, evidence.areHeard, told != nil {
                told = nil
                dependencies.logger.notice("hints are heard again", metadata: ["node": "\(address)"])
            }
        } while !isOver && subscription.isActive
    }

    private func hints(_ areHeard: Bool) {
        let changed = pace.withLock { pace in
            defer { pace.isHinted = areHeard }
            if areHeard, !pace.isHinted { pace.want() }
            return pace.isHinted != areHeard
        }
        if changed { sweepBell.ring() }
    }
}
