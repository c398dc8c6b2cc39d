import Foundation
import LeaderElection
import Logging
import NIOCore
import Synchronization
import Timing

/// Waits for the end of the lock. Every wait continues at the revision where the last one ended, so
/// that nothing that happened in between, or while no connection was there, is missed.
final class EtcdWatch: Sendable {
    /// A connection that broke without a word is noticed after this long.
    private static let patience = Duration.seconds(30)

    private let gateway: EtcdGateway
    private let key: Data
    private let logger: Logger
    private let from = Mutex<Int64?>(nil)
    private let isStopped = Atomic(false)

    init(gateway: EtcdGateway, key: Data, logger: Logger) {
        self.gateway = gateway
        self.key = key
        self.logger = logger
    }

    func stop() { isStopped.store(true, ordering: .relaxed) }

    /// Returns after the next end of the lock; nil when the task is cancelled or the store is shut down.
    func next() async -> WakeUp? {
        var failures = 0
        while !Task.isCancelled, !isStopped.load(ordering: .relaxed) {
            do throws(EtcdFailure) {
                if try await wait() { return .lapsed }
                failures = 0
            } catch {
                failures += 1
                logger.debug("etcd watch failed", metadata: ["error": "\(error)"])
                await gateway.eventLoop.sleep(min(.milliseconds(50) * (1 << min(failures, 5)), .seconds(1)))
            }
        }
        return nil
    }

    /// True when the lock ended, or may have; false when the time for one wait is over.
    private func wait() async throws(EtcdFailure) -> Bool {
        let start = try await start()
        let reply: WireWatchReply? = try await gateway.follow(
            .watch, WireWatch(createRequest: .init(key: key, startRevision: WireNumber(start))),
            for: Self.patience
        ) { $0.canceled == true || !($0.events ?? []).isEmpty }
        guard let reply else { return false }
        if reply.canceled == true {
            // Compacted away, or cancelled by the server: begin anew from now. The lock may have ended meanwhile.
            from.withLock { $0 = nil }
            guard reply.compactRevision != nil else { throw .unreachable("the watch was cancelled") }
            return true
        }
        let last = reply.events?.compactMap { $0.kv?.modRevision?.value }.max() ?? start
        from.withLock { $0 = last + 1 }
        return true
    }

    private func start() async throws(EtcdFailure) -> Int64 {
        if let known = from.withLock({ $0 }) { return known }
        let reply = try await gateway.call(.range, WireRange(key: key), WireRangeReply.self)
        guard let revision = reply.header?.revision?.value else { throw .unexpected("no revision") }
        from.withLock { $0 = revision + 1 }
        return revision + 1
    }
}
