/// What of a stream does not work, and what has been said of it: at once, and then once a minute. A
/// pure value.
struct WorkTroubles {
    /// The last error of each.
    private var failing: [String: String] = [:]
    private var said: [String: Duration] = [:]
    private static let pause = Duration.seconds(60)
    private static let limit = 64

    /// - Parameters:
    ///   - what: a command of a partition.
    ///   - error: as it would be said.
    ///   - news: what the error tells, said once for all that tell the same; nil for its own words.
    /// - Returns: whether it is to be said now.
    mutating func failed(_ what: String, _ error: String, as news: String? = nil, now: Duration) -> Bool {
        failing[what] = error.cut(toBytes: 300)
        let news = news ?? error
        if let last = said[news], now < last + Self.pause { return false }
        if said.count >= Self.limit { said = said.filter { now < $0.value + Self.pause } }
        // Past the limit, further errors in a minute tell nothing new.
        guard said.count < Self.limit else { return false }
        said[news] = now
        return true
    }

    /// Returns whether nothing is in trouble any more, and something was.
    mutating func succeeded(_ what: String) -> Bool {
        guard failing.removeValue(forKey: what) != nil, failing.isEmpty else { return false }
        said = [:]
        return true
    }

    /// Of these partitions nothing is in hand: nothing is kept or begun that could succeed, so these
    /// troubles are over. Returns as ``succeeded(_:)`` does.
    mutating func emptyHanded(_ partitions: [String]) -> Bool {
        var isOver = false
        for name in partitions {
            for what in ["keep", "begin"] where succeeded("\(name): \(what)") { isOver = true }
        }
        return isOver
    }

    var isEmpty: Bool { failing.isEmpty }
    /// What fails and why.
    var reasons: [String] { failing.map { "\($0.key): \($0.value)" }.sorted() }
}
