extension GroupRules {
    /// The signature of another replica, as one key shows it.
    package struct Seen: Sendable, Hashable {
        package var other: Other
        /// When it runs out, by the server's clock: each signing puts it off.
        package var ends: Int64

        package init(_ other: Other, ends: Int64) {
            self.other = other
            self.ends = ends
        }
    }

    /// Which of the others live.
    ///
    /// The signature of a process that died stands until it runs out. Its successor has the same ID and
    /// would take it for a duplicate. So another counts only when it has signed again since it was first
    /// seen, which the living do each second.
    package struct LivingOthers: Sendable {
        /// By key: when each signature ran out at the last look.
        private var ends: [Int: [Other: Int64]] = [:]

        package init() {}

        /// - Parameter key: which of the keys answered. Of one that did not, what was seen stays.
        /// - Returns: those that have signed since the last look at this key.
        package mutating func look(_ seen: [Seen], inKey key: Int) -> [Other] {
            let last = ends[key] ?? [:]
            ends[key] = Dictionary(seen.map { ($0.other, $0.ends) }, uniquingKeysWith: max)
            return seen.filter { one in last[one.other].map { $0 < one.ends } ?? false }.map(\.other)
        }
    }
}
