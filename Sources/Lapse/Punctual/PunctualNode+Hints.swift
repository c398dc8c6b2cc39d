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

    func listen() async {
        var backoff = Backoff(first: .milliseconds(50), cap: .seconds(5))
        var told: String?
        while !isOver {
            do throws(RedisError) {
                let subscription = try await Subscription.open(
                    to: address, settings: dependencies.hintSettings, channels: HintChannel.names(Int(database)),
                    messageBytes: Self.messageBytes, gathering: Self.gathering, on: dependencies.loop
                ) { [self] _ in
                    .success(HintSink(self) { self.hintBell.ring() })
                }
                subscription.closed.whenComplete { [hintBell] _ in hintBell.ring() }
                told = nil
                backoff.reset()
                await follow(subscription)
                subscription.close()
                hints(false)
            } catch {
                // Given up with the term.
                if isOver { return }
                if told != error.text {
                    told = error.text
                    dependencies.logger.warning(
                        "no hints: sweeping instead",
                        metadata: ["node": "\(address)", "reason": "\(error.text)"])
                }
            }
            if isOver { return }
            if await hintBell.wait(upTo: backoff.next()) == .cancelled { return }
        }
    }

    /// Until the connection is gone or silent.
    private func follow(_ subscription: Subscription) async {
        // What was set while no connection heard hints.
        pace.withLock { $0.want() }
        repeat {
            hints(dependencies.notifications(address).map { Notifications.suffice($0, withHints: true) } ?? true)
            switch await hintBell.wait(upTo: .seconds(1)) {
            case .timeout: continue
            case .rung, .cancelled: return
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
