/// How many entries a second a worker has done lately. Where they are many, orders wait a little for
/// each other: each costs as much for one entry as for a hundred. A pure value.
struct WorkPace: Sendable {
    /// The time after which it is reckoned anew.
    private static let window = Duration.milliseconds(10)

    private var since = Duration.zero
    private var count = 0
    private var last = 0

    /// So many are done, by a handler that has ended.
    mutating func add(_ done: Int, now: Duration) {
        if now - since >= Self.window {
            last = Self.rate(count, in: now - since)
            (since, count) = (now, 0)
        }
        count += done
    }

    /// Entries a second. Falls by itself when nothing is done any more.
    func rate(now: Duration) -> Int {
        let passed = now - since
        return passed <= Self.window ? last : min(last, Self.rate(count, in: passed))
    }

    private static func rate(_ count: Int, in time: Duration) -> Int {
        let (seconds, attoseconds) = time.components
        let microseconds = seconds &* 1_000_000 &+ attoseconds / 1_000_000_000_000
        return microseconds > 0 ? Int(clamping: Int64(count) &* 1_000_000 / microseconds) : 0
    }
}
