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

    /// What a question that nothing waits for any more leaves to do.
    enum Withdrawal: Equatable {
        case none
        /// The program has it, and may be stuck over it.
        case kill
    }

    /// Not written yet.
    private var waiting: Deque<Question> = []
    /// Written and not answered. An entry that may stand in a stream twice can be asked twice at a time.
    private var asked: [String: [UInt64]] = [:]
    private var idOf: [UInt64: String] = [:]
    /// Whether the present program has answered anything.
    private(set) var hasAnswered = false

    /// The ticket of what is to be written next.
    var first: UInt64? { waiting.first?.ticket }
    var hasWaiting: Bool { !waiting.isEmpty }
    /// How many the program has not answered.
    var askedCount: Int { idOf.count }
    var isIdle: Bool { waiting.isEmpty && asked.isEmpty }

    mutating func ask(_ question: Question) { waiting.append(question) }

    /// The next one to be written, which counts as asked from now on.
    mutating func next() -> Question? {
        guard let question = waiting.popFirst() else { return nil }
        asked[question.id, default: []].append(question.ticket)
        idOf[question.ticket] = question.id
        return question
    }

    /// Nil for an answer to nothing that was asked, or to what has been answered.
    mutating func answered(_ answer: ProgramAnswer) -> Result? {
        guard let ticket = asked[answer.id]?.first else { return nil }
        forget(ticket)
        hasAnswered = true
        return Result(ticket: ticket, verdict: answer.verdict)
    }

    /// Its handler has been cancelled: the attempt has taken too long, or the term is over.
    mutating func withdraw(_ ticket: UInt64) -> Withdrawal {
        if let index = waiting.firstIndex(where: { $0.ticket == ticket }) {
            waiting.remove(at: index)
            return .none
        }
        guard idOf[ticket] != nil else { return .none }
        forget(ticket)
        return .kill
    }

    /// The program has ended.
    ///
    /// - Returns: what it had been asked and has not answered.
    mutating func ended() -> [UInt64] {
        defer { (asked, idOf, hasAnswered) = ([:], [:], false) }
        return idOf.keys.sorted()
    }

    /// No program can be started.
    ///
    /// - Returns: what waits for one.
    mutating func giveUp() -> [UInt64] {
        defer { waiting = [] }
        return waiting.map(\.ticket)
    }

    private mutating func forget(_ ticket: UInt64) {
        guard let id = idOf.removeValue(forKey: ticket) else { return }
        asked[id]?.removeAll { $0 == ticket }
        if asked[id]?.isEmpty == true { asked[id] = nil }
    }
}
