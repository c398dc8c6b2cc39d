import LeaderElection
import NIOCore
import Synchronization
import Timing

/// Waits for changes of an election's keys by Consul's blocking queries.
final class ElectionWatch: Sendable {
    private struct Position {
        var index: UInt64 = 0
        var view: ElectionView?
    }

    private let keys: ConsulKeys
    private let connection: AgentConnection
    private let eventLoop: any EventLoop
    private let position = Mutex(Position())

    /// How long Consul holds back its answer while nothing happens.
    private static let wait = Duration.seconds(30)
    private static let pause = Duration.milliseconds(500)

    init(keys: ConsulKeys, connection: AgentConnection, eventLoop: any EventLoop) {
        self.keys = keys
        self.connection = connection
        self.eventLoop = eventLoop
    }

    /// The next change that can matter to an elector; nil when the task was cancelled.
    func next() async -> WakeUp? {
        while !Task.isCancelled {
            do throws(RegisterError) {
                let index = position.withLock { $0.index }
                let (view, newIndex) = try await connection.view(keys, after: index, wait: Self.wait)
                if let wakeUp = moved(to: view, newIndex ?? 0) { return wakeUp }
                // Without an index Consul answers at once, again and again.
                if newIndex ?? 0 == 0 { await eventLoop.sleep(Self.pause) }
            } catch {
                await eventLoop.sleep(Self.pause)
            }
        }
        return nil
    }

    private func moved(to view: ElectionView, _ index: UInt64) -> WakeUp? {
        let old = position.withLock { position in
            defer {
                // An index that fell belongs to a new history: from the beginning.
                position.index = index < position.index ? 0 : index
                position.view = view
            }
            return position.view
        }
        return old.flatMap { Self.wakeUp(from: $0, to: view) }
    }

    /// What matters: a lock was given up or taken away. That a replica takes a free one wakes no other.
    static func wakeUp(from old: ElectionView, to new: ElectionView) -> WakeUp? {
        let lostLock = old.lock?.session != nil && new.lock?.session != old.lock?.session
        let lostTerm = old.term?.session != nil && new.term?.session != old.term?.session
        guard lostLock || lostTerm else { return nil }
        return new.isReleased && new.term?.session == nil ? .released : .lapsed
    }
}
