/// Which progress the leader has removed from the registers, so that a follower forgets it, too.
///
/// Else every replica would bring back, at its own take-over, all processes that it has ever known of.
///
/// That the registers lack a word does not say yet that it was removed: they may have lost it, or have
/// refused to take it, and then the followers have the only copies. But a leader writes again what a
/// majority lacks (``UnwrittenProgress``), or goes on telling it while that is refused. So what all
/// registers that answer have lacked for long, while they held a later word of a leader, was removed.
/// Without such a word it is kept, however long that takes. A pure value.
package struct RemovedProgress: Sendable {
    /// Since when each word has been lacking.
    private var since: [String: Duration] = [:]
    private let patience: Duration
    /// A new leader asks its peers for a minute at most, before it opens a log and writes of it.
    private static let least = Duration.seconds(120)

    /// - Parameter logAge: how long logs are kept. As long as a peer may still hold what a word is about,
    ///   it tells a leader what of that is finished.
    package init(logAge: Duration) { patience = max(logAge * 2, Self.least) }

    /// - Parameters:
    ///   - known: what this replica has read, or heard from the leader; by run ID.
    ///   - now: by the monotonic clock.
    /// - Returns: what of it was removed.
    package mutating func look(
        _ known: [String: Progress], _ reading: ProgressReading, now: Duration
    ) -> [String: Progress] {
        let lacking = known.filter { reading[$0.key] == nil && reading.isLater(than: $0.value) }
        since = lacking.reduce(into: [:]) { $0[$1.key] = since[$1.key] ?? now }
        return lacking.filter { now - (since[$0.key] ?? now) >= patience }
    }
}
