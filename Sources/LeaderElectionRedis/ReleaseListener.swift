import Logging
import NIOCore
import RESP
import RedisClient
import Synchronization
import Timing

/// Hears on one node that the lease was given back. A cluster passes every PUBLISH on to all its nodes.
///
/// A follower without it takes over a TTL later, so it is tried again and again, on another node each
/// time.
final class ReleaseListener: Sendable {
    private let channel: String
    private let settings: ConnectionSettings
    private let watch: TopologyWatch
    private let loop: any EventLoop
    private let logger: Logger
    private let heard: @Sendable () -> Void

    init(
        channel: String, settings: ConnectionSettings, watch: TopologyWatch, on loop: any EventLoop, logger: Logger,
        heard: @escaping @Sendable () -> Void
    ) {
        self.channel = channel
        self.settings = settings
        self.watch = watch
        self.loop = loop
        self.logger = logger
        self.heard = heard
    }

    /// Listens until cancelled.
    func run() async {
        // No connection rings it: one that has ended must not cut the wait short.
        let pause = Doorbell(on: loop)
        var reconnection = Reconnection()
        var isTold = false
        var turn = 0
        while !Task.isCancelled {
            let masters = watch.current?.masters ?? []
            if !masters.isEmpty {
                let node = masters[turn % masters.count].address
                turn += 1
                do throws(RedisError) {
                    let ear = Ear(heard: heard, bell: Doorbell(on: loop))
                    let subscription = try await Subscription.open(
                        to: node, settings: settings, channels: [channel], on: loop, receiver: { _ in .success(ear) })
                    reconnection.begins(now: SystemClock.read().monotonic)
                    // What was said before the subscription stood was not heard.
                    heard()
                    await listen(subscription, ear, &reconnection, &isTold)
                    if reconnection.ends(now: SystemClock.read().monotonic), !Task.isCancelled {
                        isTold = true
                        logger.warning(
                            "releases are not heard",
                            metadata: [
                                "node": "\(node)", "reason": "the connection ends soon after it was opened",
                            ])
                    }
                } catch {
                    logger.debug("releases are not heard", metadata: ["node": "\(node)", "error": "\(error)"])
                }
            }
            if await pause.wait(upTo: reconnection.next()) == .cancelled { return }
        }
    }

    /// Returns when the connection has ended, the node is silent, has left or is no longer a master, or the
    /// task is cancelled.
    private func listen(
        _ subscription: Subscription, _ ear: Ear, _ reconnection: inout Reconnection, _ isTold: inout Bool
    ) async {
        subscription.closed.whenComplete { _ in ear.bell.ring() }
        let nextLook = watch.looks
        while subscription.isActive, !ear.isSilent, isMeant(subscription, nextLook) {
            if await ear.bell.wait(upTo: .seconds(1)) == .cancelled { break }
            if reconnection.lives(now: SystemClock.read().monotonic), isTold {
                isTold = false
                logger.notice("releases are heard again", metadata: ["node": "\(subscription.address)"])
            }
        }
        subscription.close()
        try? await subscription.closed.get()
    }

    /// Whether the deployment's releases reach that node: one that has left keeps its subscribers.
    private func isMeant(_ subscription: Subscription, _ nextLook: Int) -> Bool {
        guard let view = watch.latest else { return true }
        guard let node = view.topology.node(at: subscription.address), node.role != .replica else { return false }
        // A look that began before the subscription stood may have met a process that is gone.
        guard view.number >= nextLook, let runID = node.runID else { return true }
        return runID == subscription.runID
    }

    /// What arrives on the connection.
    private final class Ear: PushReceiver {
        private static let released = Array("released".utf8)
        private let heard: @Sendable () -> Void
        let bell: Doorbell
        private let silence = Mutex(false)

        init(heard: @escaping @Sendable () -> Void, bell: Doorbell) {
            self.heard = heard
            self.bell = bell
        }

        var isSilent: Bool { silence.withLock { $0 } }

        func receive(_ batch: borrowing ReplyBatch) {
            var isReleased = false
            batch.forEachPush { kind, _, payload in
                if kind == .message, payload.equals(Self.released) { isReleased = true }
            }
            if isReleased { heard() }
        }

        func silenceChanged(_ silent: Bool) {
            silence.withLock { $0 = silent }
            bell.ring()
        }
    }
}
