import RESP
import Synchronization

/// What the logs of a replica have let go, so that ``TracePeer`` can still tell of it: chunks as they
/// were, the newest up to a bound.
///
/// A chunk moves here as a whole: nothing is done for a single expiration.
package final class ShedChunks: Sendable {
    struct Shed: Sendable {
        var process: NodeProcess
        var chunk: LogChunk
    }

    private struct State {
        var all: [Shed?] = []
        /// What stands before it has been dropped.
        var first = 0
        var held = 0
    }

    private let limit: Int
    private let state = Mutex(State())
    /// The chunk itself, its place here, and the heads of its arrays.
    private static let overhead = 240

    /// - Parameter limit: what all of it may take in memory, in bytes; with 0 nothing is kept.
    package init(limit: Int) { self.limit = limit }

    package var held: Int { state.withLock { $0.held } }

    func take(_ chunks: [LogChunk], of process: NodeProcess) {
        guard limit > 0 else { return }
        state.withLock { state in
            for var chunk in chunks where chunk.isNumbered {
                chunk.close()
                state.held += Self.footprint(chunk)
                state.all.append(Shed(process: process, chunk: chunk))
            }
            while state.held > limit, state.first < state.all.count {
                state.held -= state.all[state.first].map { Self.footprint($0.chunk) } ?? 0
                state.all[state.first] = nil
                state.first += 1
            }
            if state.first > 256, state.first * 2 > state.all.count {
                state.all.removeFirst(state.first)
                state.first = 0
            }
        }
    }

    /// The oldest first.
    var all: [Shed] { state.withLock { $0.all[$0.first...].compactMap(\.self) } }

    private static func footprint(_ chunk: LogChunk) -> Int { chunk.reserved + overhead }
}
