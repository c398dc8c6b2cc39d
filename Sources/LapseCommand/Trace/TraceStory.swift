import Lapse
import Timing

/// What the replicas of a group told of a key, put together.
struct TraceStory: Sendable {
    struct Heard: Sendable, Encodable {
        var replica: String
        var at: String
        var repaired: Bool
    }

    struct Event: Sendable, Encodable {
        var at: String
        var replica: String
        var term: UInt64?
        var what: String
        var attempt: Int?
        var error: String?
        /// The replica that tells it, if not the one it is about.
        var toldBy: String?
    }

    struct Occurrence: Sendable, Encodable {
        var node: String
        var runID: String
        var ordinal: UInt64
        var database: Int
        var heard: [Heard]
        var events: [Event]
        /// By the leader's progress: `finished`, `begun` or `waiting`.
        var standing: String?

        private enum CodingKeys: String, CodingKey {
            case node, runID = "runId", ordinal, database, heard, events, standing
        }
    }

    struct Loss: Sendable, Encodable {
        var at: String
        var node: String
        var runID: String
        var first: UInt64
        var last: UInt64
        var lost: UInt64
        var cause: String
        var toldBy: String

        private enum CodingKeys: String, CodingKey {
            case at, node, runID = "runId", first, last, lost, cause, toldBy
        }
    }

    struct Witness: Sendable, Encodable {
        var replica: String
        var version: String
        /// The oldest that it can still tell of.
        var since: String?
        /// It knows more than fits into an answer.
        var isCut: Bool
    }

    var key: [UInt8]
    var occurrences: [Occurrence]
    var losses: [Loss]
    var witnesses: [Witness]
    /// Replicas that are alive and have not answered.
    var silent: [String]

    /// - Parameter silent: the replicas that have not answered.
    init(key: [UInt8], _ answers: [TraceAnswer], silent: Set<String>) {
        self.key = key
        self.silent = silent.sorted()
        witnesses = answers.map {
            Witness(replica: $0.replica, version: $0.version, since: $0.since.map(Self.time), isCut: $0.isCut ?? false)
        }
        struct Position: Hashable {
            var runID: String
            var ordinal: UInt64
        }
        var told: [Position: [(answer: TraceAnswer, own: TraceAnswer.Occurrence)]] = [:]
        for answer in answers {
            for own in answer.occurrences {
                told[Position(runID: own.runID, ordinal: own.ordinal), default: []].append((answer, own))
            }
        }
        let inOrder = told.values.sorted { Self.firstHeard($0) < Self.firstHeard($1) }
        occurrences = inOrder.compactMap { told in told.first.map { Self.occurrence($0.own, told) } }
        let runs = Set(occurrences.map(\.runID))
        let heard = inOrder.map(Self.firstHeard)
        losses = answers.flatMap { answer in
            answer.losses.filter { loss in
                // Of the node and about the time; all of them for a key that no replica knows.
                heard.isEmpty || runs.contains(loss.runID) && heard.contains { Self.isNear($0, loss.at) }
            }.map {
                Loss(
                    at: Self.time($0.at), node: $0.node, runID: $0.runID, first: $0.first, last: $0.last,
                    lost: $0.lost, cause: $0.cause, toldBy: answer.replica)
            }
        }
    }

    private static func firstHeard(_ told: [(answer: TraceAnswer, own: TraceAnswer.Occurrence)]) -> UInt64 {
        told.map(\.own.heardAt).min() ?? 0
    }

    private static func isNear(_ one: UInt64, _ other: UInt64) -> Bool {
        max(one, other) - min(one, other) <= 600_000
    }

    static func time(_ milliseconds: UInt64) -> String { UTCTime(milliseconds: Int64(clamping: milliseconds)).text }

    private static func occurrence(
        _ first: TraceAnswer.Occurrence, _ told: [(answer: TraceAnswer, own: TraceAnswer.Occurrence)]
    ) -> Occurrence {
        var events: [(at: UInt64, event: Event)] = []
        /// What a replica told of its own terms needs no other's word.
        var known: Set<String> = []
        for (answer, own) in told {
            for step in own.steps {
                known.insert("\(answer.replica) \(step.term ?? 0)")
                events.append(
                    (
                        step.at,
                        Event(
                            at: time(step.at), replica: answer.replica, term: step.term, what: step.what,
                            attempt: step.attempt, error: step.error.flatMap { $0.isEmpty ? nil : $0 })
                    ))
            }
        }
        for (answer, own) in told {
            for found in own.found {
                let replica = found.replica ?? "an earlier leader"
                guard known.insert("\(replica) \(found.leaderTerm ?? 0)").inserted else { continue }
                let what =
                    switch found.word {
                    case "finished": "finished, says its progress"
                    case "begun": "taken up, outcome unknown"
                    default: "perhaps taken up, outcome unknown: its last progress does not reach so far"
                    }
                // Before anything that the next leader did.
                events.append(
                    (
                        found.at,
                        Event(
                            at: time(found.at), replica: replica, term: found.leaderTerm, what: what,
                            toldBy: answer.replica)
                    ))
            }
        }
        let order = events.enumerated().sorted {
            ($0.element.at, $0.element.event.toldBy == nil ? 1 : 0, $0.offset)
                < ($1.element.at, $1.element.event.toldBy == nil ? 1 : 0, $1.offset)
        }
        let leader = told.first { $0.answer.isLeader } ?? told.first
        return Occurrence(
            node: first.node, runID: first.runID, ordinal: first.ordinal, database: first.database,
            heard: told.map {
                Heard(replica: $0.answer.replica, at: time($0.own.heardAt), repaired: $0.own.isRepaired)
            }.sorted { ($0.at, $0.replica) < ($1.at, $1.replica) },
            events: order.map(\.element.event), standing: leader?.own.standing)
    }
}
