import RESP

/// The expirations over which leaders died: begun, and not ended, when a leader was there no more.
///
/// A leader whose predecessors died one after the other notes what it begins before it begins it (see
/// ``CarefulHandling``), so that the next one knows. Pure.
package struct Suspects: Sendable {
    /// Where an expiration stands in its process' numbering.
    package struct Position: Sendable, Hashable {
        package var runID: String
        package var ordinal: UInt64

        package init(runID: String, ordinal: UInt64) {
            self.runID = runID
            self.ordinal = ordinal
        }
    }

    /// What may be done about an expiration now.
    package enum Verdict: Sendable, Equatable {
        /// Note it, then begin.
        case begin
        /// Another suspect is under way: when a leader dies over one of two, nothing tells which.
        case later
        /// One shall be alone, this one or another: to be asked again soon, and nothing else meanwhile.
        case wait
        /// `deaths` leaders died over it: no other shall.
        case condemned(deaths: Int)
    }

    /// Its name in the progress hash.
    package static let field = "begun"
    /// How many leaders may die over an expiration: the first beside all that was begun, the second with no
    /// other suspect beside it, the last with nothing beside it.
    package static let limit = 3
    /// How long the others wait for one that shall be alone and does not come.
    static let patience = Duration.seconds(2)
    /// More than lanes can have begun.
    static let most = 4096

    package var token: UInt64
    /// How many leaders died over what ended for none of them.
    package private(set) var deaths: [Position: Int] = [:]
    private var begun: Set<Position> = []
    /// Condemned, and at an end in this term. They stay named until it closes: were its leader to die
    /// before the progress that calls them finished is written, the next one would begin them again.
    private var buried: Set<Position> = []
    /// The expiration that shall be alone, and until when the others wait.
    private var alone: (position: Position, until: Duration)?

    package init(token: UInt64) { self.token = token }

    package var isEmpty: Bool { deaths.isEmpty && begun.isEmpty }

    /// Whether any of those that leaders died over has not come to an end. One that was given up, or lost,
    /// has by the cursors only.
    package func hasOpen(_ progress: [Progress]) -> Bool {
        let cursors = Dictionary(progress.map { ($0.runID, $0.cursor) }) { $1 }
        return deaths.keys.contains {
            !buried.contains($0) && !(cursors[$0.runID]?.hasFinished($0.ordinal) ?? false)
        }
    }

    /// What a term begins with, by what it has read and where it begins; nil where its predecessors closed
    /// theirs, and left nothing over which leaders died before: it has no need to be careful.
    package static func atBegin(
        of token: UInt64, _ reading: ProgressReading, _ progress: [String: Progress]
    ) -> Suspects? {
        var suspects = reading.suspects?.inherited(by: token) ?? Suspects(token: token)
        // A note names what had ended since the one before.
        suspects.drop { position in progress[position.runID]?.cursor.hasFinished(position.ordinal) ?? false }
        // A careful leader that leaves as it should has closed its term, and not dealt with all of them. Those
        // of a process that is not there any more cannot be begun.
        let isBequeathed = suspects.deaths.keys.contains { progress[$0.runID] != nil }
        return isBequeathed || reading.unclosed >= UnclosedTerms.careful ? suspects : nil
    }

    /// What a term begins with whose predecessor died.
    package func inherited(by token: UInt64) -> Suspects {
        var suspects = Suspects(token: token)
        suspects.deaths = deaths
        for position in begun { suspects.deaths[position, default: 0] += 1 }
        return suspects
    }

    /// - Parameter now: of any clock that does not go back.
    package mutating func take(_ position: Position, now: Duration) -> Verdict {
        let count = deaths[position] ?? 0
        if count >= Self.limit { return .condemned(deaths: count) }
        if let other = alone, other.position != position, now < other.until || begun.contains(other.position) {
            return .wait
        }
        if count == Self.limit - 1 {
            // Again where it did not come to it in its time, after the others have had as long.
            if alone.map({ $0.position != position || now >= $0.until + Self.patience }) ?? true {
                alone = (position, now + Self.patience)
            }
            guard begun.isEmpty else { return .wait }
        } else if count > 0, begun.contains(where: { deaths[$0] != nil }) {
            return .later
        }
        guard begun.count < Self.most else { return .wait }
        begun.insert(position)
        return .begin
    }

    /// Its handler has come back, however: the leader lives.
    package mutating func ended(_ position: Position) {
        begun.remove(position)
        if deaths[position] ?? 0 < Self.limit { deaths[position] = nil } else { buried.insert(position) }
        if alone?.position == position { alone = nil }
    }

    /// It was not begun: the term ended while its note was written. What is known of it stays.
    package mutating func leave(_ position: Position) {
        begun.remove(position)
        if alone?.position == position { alone = nil }
    }

    /// Those that have come to an end, as the progress tells.
    package mutating func drop(where isFinished: (Position) -> Bool) { deaths = deaths.filter { !isFinished($0.key) } }

    /// Without what is under way, for its leader lives, and without what it has buried.
    package var survived: Suspects {
        var suspects = Suspects(token: token)
        suspects.deaths = deaths.filter { !buried.contains($0.key) }
        return suspects
    }

    // MARK: - In the registers

    /// `v1 token`, then `runID:ordinal:deaths` for each; what is under way ends with `!`.
    package var text: String {
        let all = Set(deaths.keys).union(begun).sorted { ($0.runID, $0.ordinal) < ($1.runID, $1.ordinal) }
        let words = all.prefix(Self.most).map { position in
            "\(position.runID):\(position.ordinal):\(deaths[position] ?? 0)\(begun.contains(position) ? "!" : "")"
        }
        return (["v1 \(token)"] + words).joined(separator: " ")
    }

    /// Nil for text that no leader of this format wrote.
    package init?(text: String) {
        guard text.utf8.count <= Self.most * 96 else { return nil }
        let words = text.split(separator: " ", maxSplits: Self.most + 2)
        guard words.count >= 2, words[0] == "v1", let token = PlausibleCount.read(words[1]) else { return nil }
        self.init(token: token)
        for word in words.dropFirst(2) {
            let isBegun = word.hasSuffix("!")
            let parts = word.dropLast(isBegun ? 1 : 0).split(separator: ":")
            guard parts.count == 3, (1...64).contains(parts[0].utf8.count),
                let ordinal = PlausibleCount.read(parts[1]), ordinal > 0, let count = PlausibleCount.read(parts[2]),
                count <= 1000
            else { return nil }
            let position = Position(runID: String(parts[0]), ordinal: ordinal)
            if count > 0 { deaths[position] = Int(count) }
            if isBegun { begun.insert(position) }
        }
    }
}

/// How many terms have begun since one of them had dealt with all that it found: more than one says
/// that leaders die.
package enum UnclosedTerms {
    /// Its name in the progress hash. Counted by the register as a term begins.
    package static let field = "unclosed"
    /// From the second one on, the leader is careful: the one before it died over what it found, and so did
    /// another before that one, or after it had dealt with its own.
    static let careful: UInt64 = 2

    /// What a majority of the registers has counted at least; 0 when fewer answered.
    static func agreed(_ counts: [UInt64], of registers: Int) -> UInt64 {
        counts.count > registers / 2 ? counts.sorted(by: >)[registers / 2] : 0
    }
}
