import FoundationEssentials
import Lapse
import NIOCore
import Synchronization
import Timing

/// What the page is told each second, as server-sent events: one text, made once and shared by all
/// viewers, and none without viewers.
///
/// A viewer that does not read misses what it has not read; their number is bounded.
final class PageFeed: Sendable {
    private struct State {
        var history = PageHistory()
        var viewers: [UInt64: AsyncStream<ByteBuffer>.Continuation] = [:]
        var next: UInt64 = 0
        var isFinished = false
    }

    /// One second for the page.
    private struct Tick: Encodable {
        var point: PagePoint?
        var view: GroupView?
    }

    private struct Past: Encodable {
        var points: [PagePoint]
    }

    /// A page that looks.
    struct Viewer: Sendable {
        let number: UInt64
        /// The last minutes.
        let past: ByteBuffer
        let ticks: AsyncStream<ByteBuffer>
    }

    private let state = Mutex(State())
    private let limit: Int
    private static let samplesPerSecond = 4

    init(viewers limit: Int) { self.limit = limit }

    /// Nil when there are as many viewers as may be, or the port closes.
    func join() -> Viewer? {
        let (ticks, continuation) = AsyncStream.makeStream(of: ByteBuffer.self, bufferingPolicy: .bufferingNewest(2))
        let joined = state.withLock { state -> (UInt64, [PagePoint])? in
            guard !state.isFinished, state.viewers.count < limit else { return nil }
            state.next += 1
            state.viewers[state.next] = continuation
            return (state.next, state.history.points)
        }
        guard let (number, points) = joined else { return nil }
        return Viewer(number: number, past: Self.event("past", Past(points: points)), ticks: ticks)
    }

    func leave(_ viewer: Viewer) { state.withLock { $0.viewers.removeValue(forKey: viewer.number) }?.finish() }

    /// The port closes: every page is let go.
    func finish() {
        let viewers = state.withLock { state in
            state.isFinished = true
            defer { state.viewers = [:] }
            return state.viewers.values.map(\.self)
        }
        for viewer in viewers { viewer.finish() }
    }

    /// Samples once a second, and tells the viewers, until cancelled.
    func run(_ source: any AdminSource) async {
        while (try? await Task.sleep(for: .seconds(1))) != nil {
            let figures = source.figures()
            let now = WallClock.milliseconds()
            let (point, isWatched) = state.withLock { state in
                (figures.flatMap { state.history.add($0, now: now) }, !state.viewers.isEmpty)
            }
            guard isWatched else { continue }
            let text = Self.event("tick", Tick(point: point, view: await source.view(samples: Self.samplesPerSecond)))
            for (number, viewer) in state.withLock({ $0.viewers }) {
                // One whose connection ended before its answer began leaves like this.
                guard case .terminated = viewer.yield(text) else { continue }
                state.withLock { _ = $0.viewers.removeValue(forKey: number) }
            }
        }
    }

    /// How things stand as a page opens.
    static func first(_ source: any AdminSource) async -> ByteBuffer {
        event("tick", Tick(point: nil, view: await source.view(samples: samplesPerSecond)))
    }

    private static func event(_ name: String, _ value: some Encodable) -> ByteBuffer {
        // JSON has no line of its own: it stands on one.
        let data = (try? JSONEncoder().encode(value)) ?? Data("{}".utf8)
        var buffer = ByteBuffer(string: "event: \(name)\ndata: ")
        buffer.writeBytes(data)
        buffer.writeString("\n\n")
        return buffer
    }
}
