package import ThrowawayRedis

/// What a run owes and what was paid: one row of the table.
package struct Ledger: Sendable {
    package var scenario: String
    /// Distinct keys that Redis announced, says the witness; with companions: that were due.
    package var emitted: Int
    /// Distinct keys handled.
    package var handled: Int
    /// Emitted, and handled by no replica.
    package var lost: Int
    /// What the replicas themselves say is lost.
    package var reported: Int
    /// What was reported as lost beyond what is owed: keys of Lapse's own and of others, repetitions. A
    /// replica that loses a stretch cannot tell whether one was in it.
    package var beyond = 0
    /// What was reported as lost was found again by its companion: all is owed, whatever was heard.
    package var isReconciled = false
    /// Handlings beyond the first of a key.
    package var twice: Int
    /// The longest that an announced key waited for a handler, in seconds: at a steady rate, the time
    /// without a handler.
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
    /// Accounts of nodes that the leaders' status pages showed meanwhile, each of which added up.
    package var samples = 0
    package var note = ""
    /// Why the run has failed, besides what the numbers show.
    package var problems: [String] = []

    /// - Parameters:
    ///   - announced: when each key was first announced.
    ///   - unheard: how many more were announced where the witness could not hear, as the nodes count.
    package init(
        scenario: String, announced: [String: Double], unheard: Int, handled: [ThrowawayReplica.Handled],
        reported: ReportedLoss
    ) {
        self.scenario = scenario
        let counts = handled.reduce(into: [:]) { $0[$1.key, default: 0] += 1 }
        emitted = Self.emitted(Set(announced.keys), Set(counts.keys), unheard: unheard)
        self.handled = counts.count
        lost = emitted - counts.count
        self.reported = reported.lost
        if reported.imbalances > 0 { problems.append("\(reported.imbalances) accounts did not balance") }
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

    /// What was emitted: every key that the witness heard, or else a replica; where the witness was deaf,
    /// as many more as the node has counted.
    static func emitted(_ announced: Set<String>, _ handled: Set<String>, unheard: Int) -> Int {
        unheard > 0 ? announced.count + unheard : announced.union(handled).count
    }

    /// Why the run has failed; empty when everything emitted was handled, or reported as lost, exactly.
    package var failures: [String] {
        var failures = problems
        if overlaps > 0 { failures.append("two leaders at once") }
        if !isReconciled, reported != lost + beyond {
            failures.append("lost \(lost), reported \(reported)")
        }
        return failures
    }

    mutating func note(_ trace: Trace, _ settlement: Settlement) {
        note += trace.note
        problems += trace.problems
        if let woke = trace.woke {
            let late = settlement.handled.count {
                // An entry of a stream names the term, and no replica.
                ($0.replica == woke.replica || $0.replica.isEmpty) && $0.term == woke.term && $0.time > woke.at
            }
            afterWaking = (afterWaking ?? 0) + late
            note += "after waking: \(late) "
            if late > 0 { problems.append("handled after waking: \(late)") }
        }
        if settlement.unannounced > 0 { note += "not announced: \(settlement.unannounced) " }
        announcedAgain = settlement.announcedAgain
        if announcedAgain > 0 { note += "announced again: \(announcedAgain) " }
    }

    /// Every difference between lost and reported must be known, key by key.
    mutating func note(_ audit: LossAudit, unheard: Int, unannounced: Int) {
        beyond = audit.beyond
        note += audit.note
        if !isReconciled { problems += audit.problems(blind: unheard, unannounced: unannounced) }
    }

    /// Every account that a leader showed must have added up.
    mutating func note(_ probe: AccountProbe) {
        samples = probe.samples
        let unbalanced = probe.unbalanced
        if let first = unbalanced.first {
            problems.append("\(unbalanced.count) of \(samples) accounts did not add up, such as \(first)")
        }
        if samples == 0 { problems.append("no account was seen") }
    }

    package static let header =
        "scenario                              emitted  handled  lost  reported  twice  seconds without  note"

    package var row: String {
        func left(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(0, width - text.count))
        }
        func right(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: max(0, width - text.count)) + text
        }
        let seconds = "\((wait * 100).rounded() / 100)"
        let verdict = failures.isEmpty ? "" : "FAILED (\(failures.joined(separator: "; "))) "
        return left(scenario, 36) + right("\(emitted)", 9) + right("\(handled)", 9) + right("\(lost)", 6)
            + right("\(reported)", 10) + right("\(twice)", 7) + right(seconds, 17) + "  " + verdict + note
    }
}
