package import Logging
package import NIOCore
import RedisClient
import Synchronization
import Timing

/// Keeps this replica's logs whole: looks each second for what is missing in them, and asks the peers
/// (see ``CatchUp``).
package final class LogCompletion: Sendable {
    /// What it goes by.
    package struct Sources: Sendable {
        package var logs: LogSet
        /// The progress as last read.
        package var progress: @Sendable () -> [String: Progress]
        /// The replicas seen lately.
        package var members: @Sendable () -> Set<String>

        package init(
            logs: LogSet, progress: @escaping @Sendable () -> [String: Progress],
            members: @escaping @Sendable () -> Set<String>
        ) {
            self.logs = logs
            self.progress = progress
            self.members = members
        }
    }

    private let id: String
    private let sources: Sources
    private let repairer: Repairer
    private let holes: AsyncStream<Repairer.Hole>.Continuation
    private let state: SharedState
    private let bell: Doorbell

    private final class SharedState: Sendable {
        let catchUp = Mutex(CatchUp())
    }

    /// - Parameters:
    ///   - places: where questions and answers are put.
    ///   - look: how many looks at the topology have begun.
    package init(
        id: String, _ sources: Sources, client: any CommandRunner, channel: String, places: RepairPlaces,
        look: @escaping @Sendable () -> Int, on loop: any EventLoop, logger: Logger
    ) {
        self.id = id
        self.sources = sources
        bell = Doorbell(on: loop)
        let state = SharedState()
        self.state = state
        let (stream, continuation) = AsyncStream.makeStream(of: Repairer.Hole.self)
        holes = continuation
        repairer = Repairer(
            holes: stream, id: id, logs: sources.logs, client: client, channel: channel, places: places,
            peers: sources.members, look: look,
            listeners: .init(
                leads: { _ in true },
                settled: { hole, end in
                    state.catchUp.withLock { $0.settle(hole, end, sources.logs) }
                    // Only a leader says what is lost.
                    return nil
                }, gap: { _ in }), on: loop, logger: logger)
    }

    /// Asks until cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.repairer.run() }
            repeat {
                let peers = sources.members().subtracting([id])
                let progress = sources.progress()
                for hole in state.catchUp.withLock({ $0.next(sources.logs, progress, peers: peers) }) {
                    holes.yield(hole)
                }
            } while await bell.wait(upTo: .seconds(1)) != .cancelled
            group.cancelAll()
        }
    }

    /// Whether no peer has anything that is missing here.
    package var isWhole: Bool {
        let progress = sources.progress()
        return state.catchUp.withLock { $0.isWhole(sources.logs, progress) }
    }
}
