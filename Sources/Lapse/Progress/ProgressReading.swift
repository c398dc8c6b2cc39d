/// What a majority of the registers holds of the group's progress.
package struct ProgressReading: Sendable {
    /// The newest word on each log, by run ID.
    package private(set) var entries: [String: Progress]
    package private(set) var origin: ProgressOrigin?
    /// The largest token of the present epoch that any of these registers has seen.
    package private(set) var token: UInt64
    /// How many terms have begun since one had dealt with all that it found, by a majority's word.
    package let unclosed: UInt64
    /// What the last careful leader had begun.
    package let suspects: Suspects?
    private var epoch: UInt64
    private var hasForeignTokens: Bool
    /// Through which ordinal a majority of all registers calls each log finished.
    private var finished: [String: UInt64] = [:]
    /// How many registers are known to have no word on each log that any of them has one on, and how many
    /// on all others.
    private var lacking: [String: Int] = [:]
    private let answered: Int
    private let registers: Int
    /// The latest word on any log.
    private let latest: Progress?

    /// Nil when fewer than a majority answered.
    package init?(_ words: [RegisterWord], of registers: Int) {
        guard let entries = ProgressVote.newest(words.map(\.entries), of: registers) else { return nil }
        self.entries = entries
        self.registers = registers
        answered = words.count
        latest = entries.values.max { $1.isNewer(than: $0) }
        unclosed = UnclosedTerms.agreed(words.map(\.unclosed), of: registers)
        suspects = words.compactMap(\.suspects).max { $0.token < $1.token }
        let epoch = words.map { $0.origin?.epoch ?? 0 }.max() ?? 0
        let present = words.filter { ($0.origin?.epoch ?? 0) == epoch }
        self.epoch = epoch
        origin = present.lazy.compactMap(\.origin).first
        token = present.flatMap { [$0.fence] + $0.entries.values.map(\.token) }.max() ?? 0
        // A store's own tokens are never larger than the fence in front of them.
        hasForeignTokens = present.contains { word in word.entries.values.contains { $0.token > word.fence } }
        for runID in entries.keys {
            lacking[runID] = words.count { $0.entries[runID] == nil }
            let settled = present.compactMap { $0.entries[runID]?.cursor.settled }.sorted(by: >)
            if settled.count > registers / 2 { finished[runID] = settled[registers / 2] }
        }
    }

    package subscript(runID: String) -> Progress? { entries[runID] }

    /// Whether a majority of all registers has no word on a log.
    package func lacks(_ runID: String) -> Bool { lacking[runID, default: answered] > registers / 2 }

    /// Whether a leader has written progress, of whatever log, after this word.
    func isLater(than word: Progress) -> Bool { latest?.isNewer(than: word) ?? false }

    /// Through which ordinal followers may forget a log; nil while that is not known. Not by the word of a
    /// leader after whom another one has begun, and not by one that fewer than a majority of the registers
    /// holds: the next leader may read the others.
    package func forgettable(_ runID: String) -> UInt64? {
        guard let entry = entries[runID], entry.epoch == epoch, entry.token >= token else { return nil }
        return finished[runID].map { min($0, entry.cursor.settled) }
    }

    /// What is wrong with a term's token beside what this was written under; nil when it is simply the next
    /// one.
    package func contradiction(of token: UInt64, store: String) -> ProgressOrigin.Contradiction? {
        if let origin, origin.store != store { return .moved(from: origin.store) }
        if hasForeignTokens { return .moved(from: nil) }
        return self.token > token ? .forgotten(token: self.token) : nil
    }
}
