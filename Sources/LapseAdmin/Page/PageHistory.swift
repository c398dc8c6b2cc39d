import Lapse

/// One second of the page's plots.
struct PagePoint: Sendable, Encodable {
    /// Milliseconds since 1970.
    var at: UInt64
    var handled: UInt64
    var failed: UInt64
    /// p50, p90, p99 and p99.9 of the time from being heard to being handled, in milliseconds; nil where
    /// nothing was handled.
    var delays: [Double]?
}

/// The last minutes, a point a second, in a ring that never grows past its limit. A pure value.
struct PageHistory: Sendable {
    static let limit = 300
    static let parts = [0.5, 0.9, 0.99, 0.999]

    private(set) var points: [PagePoint] = []
    private var last: ViewFigures?

    /// Takes in what was counted since the start; returns the point of the time since the last call.
    mutating func add(_ figures: ViewFigures, now: UInt64) -> PagePoint? {
        defer { last = figures }
        guard let last, last.delays.count == figures.delays.count else { return nil }
        let delays = zip(figures.delays, last.delays).map { $0 - min($0, $1) }
        var handled = delays.reduce(0, +)
        // A follower tells of the leader: each account begins anew with a term, and one that is seen for the
        // first time may be old.
        for (runID, total) in figures.byLeader ?? [:] {
            if let before = last.byLeader?[runID], total >= before { handled &+= total - before }
        }
        let point = PagePoint(
            at: now, handled: handled, failed: figures.failed - min(figures.failed, last.failed),
            delays: DelayCounts.percentiles(Self.parts, of: delays))
        if points.count >= Self.limit { points.removeFirst(points.count - Self.limit + 1) }
        points.append(point)
        return point
    }
}
