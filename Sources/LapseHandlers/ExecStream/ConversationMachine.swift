import DequeModule

/// What a program of `--exec-stream` is asked, and what it has answered. A pure value.
///
/// As many are asked at once as there are handlers: each of these waits for its answer.
struct ConversationMachine {
    /// One attempt of a handler.
    struct Question: Equatable {
        let ticket: UInt64
        let id: String
    }

    struct Result: Equatable {
        let ticket: UInt64
        let verdict: ProgramAnswer.Verdict
    }

    /// What a question that was withdrawn leaves to do.
    enum Withdrawal: Equatable {
        case none
        /// The program has it, and may be stuck over it: its handler ends with the program.
        case kill
    }

    /// What a program that has ended leaves behind.
    struct End: Equatable {
        /// Asked and not answered.
        var unanswered: [UInt64] = []
        /// Asked, and withdrawn since.
        var withdrawn: [UInt64] = []
    }

    /// Not written yet.
    private var waiting: Deque<Question> = []
    /// Written, wholly or in part, and not answered. No id twice: an answer could be to either.
    private var asked: [String: UInt64] = [:]
    private var idOf: [UInt64: String] = [:]
    private var withdrawn: Set<UInt64> = []
    /// Whether the present program has answered anything.
    private(set) var hasAnswered = false

    /// What is to be written next. An entry that may stand in a stream twice waits for the answer to its
    /// twin.
    var next: Question? { isDying ? nil : waiting.first { asked[$0.id] == nil } }
    var hasWaiting: Bool { !waiting.isEmpty }
    var waitingCount: Int { waiting.count }
    /// How many the program has not answered.
    var askedCount: Int { idOf.count }
    var isIdle: Bool { waiting.isEmpty && asked.isEmpty }
    /// The program is being killed, and is asked nothing more.
    var isDying: Bool { !withdrawn.isEmpty }

    mutating func ask(_ question: Question) { waiting.append(question) }

    /// The first byte of it has been written.
    mutating func wrote(_ question: Question) {
        guard let index = waiting.firstIndex(of: question) else { return }
        waiting.remove(at: index)
        asked[question.id] = question.ticket
        idOf[question.ticket] = question.id
    }

    /// Nil for an answer to nothing that was asked, or to what has been answered or withdrawn.
    mutating func answered(_ answer: ProgramAnswer) -> Result? {
        guard let ticket = asked[answer.id], !withdrawn.contains(ticket) else { return nil }
        (asked[answer.id], idOf[ticket]) = (nil, nil)
        hasAnswered = true
        return Result(ticket: ticket, verdict: answer.verdict)
    }

    /// Its handler has been cancelled: the attempt has taken too long, or the term is over.
    mutating func withdraw(_ ticket: UInt64) -> Withdrawal {
        waiting.removeAll { $0.ticket == ticket }
        guard idOf[ticket] != nil else { return .none }
        withdrawn.insert(ticket)
        return .kill
    }

    /// The program has ended. What it was not asked waits for the next one.
    mutating func ended() -> End {
        defer { (asked, idOf, withdrawn, hasAnswered) = ([:], [:], [], false) }
        return End(
            unanswered: idOf.keys.filter { !withdrawn.contains($0) }.sorted(), withdrawn: withdrawn.sorted())
    }

    /// No program can be started.
    ///
    /// - Returns: what waits for one.
    mutating func giveUp() -> [UInt64] {
        defer { waiting = [] }
        return waiting.map(\.ticket)
    }
}
