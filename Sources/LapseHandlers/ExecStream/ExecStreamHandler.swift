import ExpirationStream
package import Lapse
import LeaderElection
package import Logging
import Processes
import Synchronization
import Timing

/// Asks one long-lived program about each expiration: a line of JSON on its stdin, and the id back on its stdout.
///
/// A program that ends is started again, after a pause that grows while it answers nothing; what it had been asked and has not answered was an
/// attempt that failed. An attempt that takes too long, and the end of the term, kill its process group.
package final class ExecStreamHandler: Sendable {
    private struct State {
        var machine = ConversationMachine()
        var questions: [UInt64: Question] = [:]
        var tickets: UInt64 = 0
        var backoff = Backoff(first: .milliseconds(100), cap: .seconds(5))
        /// Has a program run, one after the other, while there is something to ask.
        var keeper: Task<Void, Never>?
        var conversation: Conversation?
        var isClosing = false
        var logger = Logger(label: "lapse")
    }

    private struct Question {
        let line: [UInt8]
        let mayBeAsked: @Sendable () -> Bool
        let continuation: CheckedContinuation<ProgramAnswer.Verdict, any Error>
    }

    private let words: [String]
    private let replica: String
    private let hidden: Set<String>
    private let state = Mutex(State())

    /// - Parameters:
    ///   - words: the program and its arguments; no shell reads them.
    ///   - replica: this replica's id.
    ///   - hidden: variables of this process that do not reach the program.
    package init(_ words: [String], replica: String, without hidden: Set<String> = []) {
        self.words = words
        self.replica = replica
        self.hidden = hidden
    }

    /// Where its program's stderr goes. Before the first call.
    package func log(to logger: Logger) { state.withLock { $0.logger = logger } }

    private var logger: Logger { state.withLock { $0.logger } }

    @Sendable package func callAsFunction(_ expiration: Expiration, _ context: HandlerContext) async throws {
        let id = EventID.of(
            runID: expiration.runID, ordinal: expiration.ordinal, database: expiration.database,
            key: expiration.key.bytes, value: expiration.value)
        guard id.utf8.count <= AnswerLines.idLimit else { throw UnaskableKey() }
        var format = NDJSONFormat(
            replica: replica, term: context.term, token: context.fencingToken.rawValue,
            handledAt: Int64(WallClock.milliseconds()))
        let rest = format.line(expiration, attempt: context.attempt).dropFirst()
        let line = Array("{".utf8) + JSONLine.fields { $0.add("id", id) } + Array(",".utf8) + rest
        switch try await ask(id, line, ifStill: { context.isLeading }) {
        case .handled: return
        case .again: throw ProgramAnswered(program: words[0], error: nil)
        case .failed(let text): throw ProgramAnswered(program: words[0], error: text)
        }
    }

    private func ask(
        _ id: String, _ line: [UInt8], ifStill mayBeAsked: @escaping @Sendable () -> Bool
    ) async throws -> ProgramAnswer.Verdict {
        let ticket = state.withLock { state in
            state.tickets += 1
            return state.tickets
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isTaken = state.withLock { state in
                    // What cancels it later finds it here.
                    guard !Task.isCancelled, !state.isClosing else { return false }
                    state.questions[ticket] = Question(
                        line: line, mayBeAsked: mayBeAsked, continuation: continuation)
                    state.machine.ask(.init(ticket: ticket, id: id))
                    // Outlives this call: the program is there for those that follow. `shutDown` waits for it.
                    if state.keeper == nil { state.keeper = Task { await keep() } }
                    state.conversation?.wake()
                    return true
                }
                if !isTaken { continuation.resume(throwing: CancellationError()) }
            }
        } onCancel: {
            withdraw(ticket)
        }
    }

    private func withdraw(_ ticket: UInt64) {
        let question = state.withLock { state in
            if state.machine.withdraw(ticket) == .kill { state.conversation?.kill() }
            return state.questions.removeValue(forKey: ticket)
        }
        question?.continuation.resume(throwing: CancellationError())
    }

    /// How many questions its program has not answered.
    var asked: Int { state.withLock { $0.machine.askedCount } }

    /// Closes the program's stdin and waits for its end; kills it when that takes longer than two seconds.
    package func shutDown() async {
        let keeper = state.withLock { state in
            state.isClosing = true
            state.conversation?.wake()
            return state.keeper
        }
        await keeper?.value
        fail(state.withLock { $0.machine.giveUp() }, CancellationError())
    }

    private func fail(_ tickets: [UInt64], _ error: any Error) {
        let questions = state.withLock { state in tickets.compactMap { state.questions.removeValue(forKey: $0) } }
        for question in questions { question.continuation.resume(throwing: error) }
    }

    // MARK: - The program

    /// Until nothing is left to ask when a program has ended.
    private func keep() async {
        repeat {
            do {
                let conversation = try await Conversation.begin(
                    words, environment: ["LAPSE_ID": replica], without: hidden, logger: logger,
                    ifStill: { [self] in state.withLock { !$0.isClosing } })
                state.withLock { $0.conversation = conversation }
                let end = await conversation.run(
                    next: { [self] in next() },
                    isOver: { [self] in state.withLock { $0.isClosing && $0.machine.isIdle } },
                    answered: { [self] in take($0) })
                ended(end)
            } catch {
                if !(error is CancellationError) {
                    logger.error(
                        "program cannot be started", metadata: ["program": "\(words[0])", "error": "\(error)"])
                }
                fail(state.withLock { $0.machine.giveUp() }, error)
            }
            guard !state.withLock({ $0.isClosing }) else { break }
            // Not cut short: nothing cancels this task, and the wait is bounded.
            try? await Task.sleep(for: state.withLock { $0.backoff.next() })
        } while state.withLock({ state in
            if !state.machine.hasWaiting { state.keeper = nil }
            return state.machine.hasWaiting
        })
    }

    private func ended(_ end: ProgramRun.End) {
        let (unanswered, isClosing) = state.withLock { state in
            state.conversation = nil
            if state.machine.hasAnswered { state.backoff.reset() }
            return (state.machine.ended(), state.isClosing)
        }
        if !isClosing {
            logger.warning(
                "program has ended, and is started again",
                metadata: [
                    "program": "\(words[0])", "end": "\(ProgramFailed(program: words[0], end: end))",
                    "unanswered": .stringConvertible(unanswered.count),
                ])
        }
        fail(unanswered, ProgramFailed(program: words[0], end: end))
    }

    /// The next line to be written; nil for none now.
    private func next() -> [UInt8]? {
        while true {
            let (line, late): ([UInt8]?, Question?) = state.withLock { state in
                guard let ticket = state.machine.first, let question = state.questions[ticket] else {
                    return (nil, nil)
                }
                guard question.mayBeAsked() else {
                    _ = state.machine.withdraw(ticket)
                    return (nil, state.questions.removeValue(forKey: ticket))
                }
                _ = state.machine.next()
                return (question.line, nil)
            }
            guard let late else { return line }
            late.continuation.resume(throwing: CancellationError())
        }
    }

    /// False for an answer to nothing that was asked.
    private func take(_ answer: ProgramAnswer) -> Bool {
        let (question, result) = state.withLock { state in
            let result = state.machine.answered(answer)
            return (result.flatMap { state.questions.removeValue(forKey: $0.ticket) }, result)
        }
        guard let result else { return false }
        question?.continuation.resume(returning: result.verdict)
        return true
    }
}

/// A program has said that it did not handle an expiration.
package struct ProgramAnswered: Error, Equatable, CustomStringConvertible {
    let program: String
    /// Nil where it asks for another attempt.
    let error: String?

    package var description: String {
        error.map { "\(program) answered: \($0)" } ?? "\(program) asks to be asked again"
    }
}

/// What has no position is named by its key, and this key is too long for a line.
struct UnaskableKey: AdvisesOnAttempts, CustomStringConvertible {
    var description: String {
        "--exec-stream: the id made of its key is longer than \(AnswerLines.idLimit) bytes; use --exec for such keys"
    }
    var anotherAttempt: AnotherAttempt { .pointless }
}
