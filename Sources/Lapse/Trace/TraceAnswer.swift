import FoundationEssentials

/// What one replica knows of a key. It travels as JSON, between replicas and `lapse trace` of any two
/// builds: what is not known to one of them is left out.
package struct TraceAnswer: Codable, Sendable {
    package struct Step: Codable, Sendable {
        /// `handed out`, `handled`, `failed` or `dead-lettered`.
        package var what: String
        /// Milliseconds since 1970.
        package var at: UInt64
        package var term: UInt64?
        package var token: UInt64
        package var attempt: Int
        package var error: String?
    }

    /// What a term of this replica found of an earlier leader's work when it began.
    package struct Found: Codable, Sendable {
        /// The term that found it, and when.
        package var term: UInt64
        package var at: UInt64
        /// The leader before, if it was seen.
        package var replica: String?
        package var leaderTerm: UInt64?
        /// `finished`, `begun` (its outcome is unknown), or `unsaid`: the leader's last progress ends before
        /// it.
        package var word: String
    }

    package struct Occurrence: Codable, Sendable {
        package var node: String
        package var runID: String
        package var ordinal: UInt64
        package var database: Int
        /// Milliseconds since 1970, when this replica heard it.
        package var heardAt: UInt64
        /// It was told by a peer.
        package var isRepaired: Bool
        /// By the leader's progress now: `finished`, `begun` or `waiting`; nil without any.
        package var standing: String?
        package var steps: [Step]
        package var found: [Found]

        private enum CodingKeys: String, CodingKey {
            case node, runID = "runId", ordinal, database, heardAt, isRepaired, standing, steps, found
        }
    }

    package struct Loss: Codable, Sendable {
        package var node: String
        package var runID: String
        package var first: UInt64
        package var last: UInt64
        package var lost: UInt64
        package var cause: String
        package var at: UInt64

        private enum CodingKeys: String, CodingKey {
            case node, runID = "runId", first, last, lost, cause, at
        }
    }

    package var replica: String
    package var version: String
    package var isLeader: Bool
    /// Milliseconds since 1970: of the oldest expiration that it can still tell of; nil when it knows of
    /// none.
    package var since: UInt64?
    package var now: UInt64
    /// The oldest first; the newest ``occurrenceLimit`` of them.
    package var occurrences: [Occurrence]
    package var losses: [Loss]
    /// Something was left out, or an error cut short, for it to fit; nil from builds that do not say it.
    package var isCut: Bool?

    package static let occurrenceLimit = 16
    static let lossLimit = 32
    static let stepLimit = 24
    /// No replica writes a longer one.
    package static let limitBytes = 256 << 10

    /// Nil for bytes that no replica wrote.
    package init?(json: [UInt8]) {
        guard json.count <= Self.limitBytes,
            let answer = try? JSONDecoder().decode(TraceAnswer.self, from: Data(json))
        else { return nil }
        self = answer
    }

    init(
        replica: String, version: String, isLeader: Bool, since: UInt64?, now: UInt64, occurrences: [Occurrence],
        losses: [Loss]
    ) {
        (self.replica, self.version, self.isLeader, self.since, self.now) = (replica, version, isLeader, since, now)
        (self.occurrences, self.losses) = (occurrences, losses)
    }

    static func nothing(_ replica: String) -> TraceAnswer {
        TraceAnswer(
            replica: replica, version: BuildVersion.text, isLeader: false, since: nil, now: 0, occurrences: [],
            losses: [])
    }

    /// Cut until it fits: first the errors, then the older half of the occurrences, again and again, then
    /// the losses. Nil for one that is too long without all these.
    var json: [UInt8]? {
        var answer = self
        while true {
            guard let data = try? JSONEncoder().encode(answer) else { return nil }
            if data.count <= Self.limitBytes { return Array(data) }
            guard answer.shorten() else { return nil }
        }
    }

    private static let shortError = 40

    /// - Returns: whether anything was left to cut.
    private mutating func shorten() -> Bool {
        let isFirst = isCut != true
        isCut = true
        if isFirst {
            for place in occurrences.indices {
                for step in occurrences[place].steps.indices {
                    occurrences[place].steps[step].error = occurrences[place].steps[step].error?
                        .cut(toBytes: Self.shortError)
                }
            }
        } else if !occurrences.isEmpty {
            occurrences.removeFirst((occurrences.count + 1) / 2)
        } else if !losses.isEmpty {
            losses.removeAll()
        } else {
            return false
        }
        return true
    }
}
