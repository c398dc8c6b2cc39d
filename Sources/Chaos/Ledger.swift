package import ThrowawayRedis

/// What a run owes and what was paid: one row of the table.
package struct Ledger: Sendable {
    package var scenario: String
    /// Distinct keys that Redis announced or acknowledged and let expire.
    package var emitted: Int
    /// Distinct keys handled.
    package var handled: Int
    /// Announced, and handled by nobody.
    package var lost: Int
    /// Handlings beyond the first of a key.
    package var twice: Int
    /// The longest that an announced key waited for a handler, in seconds: at a steady rate, the time without a handler.
    package var wait: Double
    /// Handled by the replica that was frozen, in its old term, after it woke.
    package var afterWaking: Int?
    /// Pairs of terms in which handlers were called at the same time: two leaders.
    package var overlaps: Int
    /// How many terms handled something.
    package var terms: Int
    /// Announcements beyond the first of a key: the servers' own repetition.
    package var announcedAgain = 0
    /// Handled though the leader had not heard them: a peer had.
    package var repaired: Int
    package var note = ""

    package init(
        scenario: String, announced: [String: Double], handled: [ThrowawayReplica.Handled]
    ) {
        self.scenario = scenario
        let counts = handled.reduce(into: [:]) { $0[$1.key, default: 0] += 1 }
        emitted = announced.count
        self.handled = counts.count
        lost = announced.keys.count { counts[$0] == nil }
        twice = counts.values.reduce(0) { $0 + $1 - 1 }
        repaired = handled.count { $0.origin == "repair" }
        let terms = Dictionary(grouping: handled, by: \.token).values.compactMap { lines -> ClosedRange<Double>? in
            let times = lines.map(\.time)
            guard let first = times.min(), let last = times.max() else { return nil }
            return first...last
        }.sorted { $0.lowerBound < $1.lowerBound }
        // A millisecond is what the lines resolve.
        self.terms = terms.count
        overlaps = zip(terms, terms.dropFirst()).count { $0.upperBound > $1.lowerBound + 0.001 }
        let first = handled.reduce(into: [String: Double]()) { $0[$1.key] = min($0[$1.key] ?? .infinity, $1.time) }
        wait = announced.compactMap { key, time in first[key].map { $0 - time } }.max() ?? 0
    }

    package static let header =
        "scenario                              emitted  handled  lost  twice  seconds without  note"

    package var row: String {
        func left(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(0, width - text.count))
        }
        func right(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: max(0, width - text.count)) + text
        }
        let seconds = "\((wait * 100).rounded() / 100)"
        return left(scenario, 36) + right("\(emitted)", 9) + right("\(handled)", 9) + right("\(lost)", 6)
            + right("\(twice)", 7) + right(seconds, 17) + "  " + (overlaps > 0 ? "TWO LEADERS AT ONCE " : "") + note
    }
}
