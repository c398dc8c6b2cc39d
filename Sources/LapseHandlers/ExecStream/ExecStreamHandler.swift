import ExpirationStream
package import Lapse
import LeaderElection
package import Logging
import Processes
import Synchronization
package import Timing

/// Asks one long-lived program about each expiration: a line of JSON on its stdin, and the id back on
/// its stdout.
///
/// A program that ends is started again, after a pause that grows while it answers nothing; what it had
/// been asked and has not answered was an attempt that failed. An attempt that takes too long, and the
/// end of the term, kill its process group.
package final class ExecStreamHandler: Sendable {
    private struct State {
        var machine = ConversationMachine()
        var questions: [UInt64: Question] = [:]
        var tickets: UInt64 = 0
        var backoff: Backoff
        /// Of the keeper, between two programs.
        var pause: Task<Void, Never>?
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
    private let state: Mutex<State>

    /// - Parameters:
    ///   - words: the program and its arguments; no shell reads them.
    ///   - replica: this replica's id.
    ///   - hidden: variables of this process that do not reach the program.
    ///   - backoff: the pauses between two programs, while they answer nothing.
    package init(
        _ words: [String], replica: String, without hidden: Set<String> = [],
        backoff: Backoff = Backoff(first: .milliseconds(100), cap: .seconds(5))
    ) {
        state = Mutex(State(backoff: backoff))
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
        guard ProgramAnswer.canBeLine(id) else { throw UnaskableRunID() }
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
        let question = state.withLock { state -> Question? in
            // The program may be at work over it. Its handler returns when it is no more.
            guard state.machine.withdraw(ticket) == .kill else { return state.questions.removeValue(forKey: ticket) }
            state.conversation?.kill()
            return nil
        }
        question?.continuation.resume(throwing: CancellationError())
    }

    /// How many questions its program has not answered.
    var asked: Int { state.withLock { $0.machine.askedCount } }
    /// How many its program was not asked yet.
    var waiting: Int { state.withLock { $0.machine.waitingCount } }

    /// Closes the program's stdin and waits for its end; kills it when that takes longer than two seconds.
    package func shutDown() async {
        let keeper = state.withLock { state in
            state.isClosing = true
            state.pause?.cancel()
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
                    hasNext: { [self] in state.withLock { $0.machine.next != nil } },
                    next: { [self] in writeNext($0) },
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
            let pause = state.withLock { state -> Task<Void, Never>? in
                guard !state.isClosing else { return nil }
                let length = state.backoff.next()
                // A task of its own: `shutDown` cuts the pause short, and nothing else of this one.
                state.pause = Task { try? await Task.sleep(for: length) }
                return state.pause
            }
            guard let pause else { break }
            await pause.value
        } while state.withLock({ state in
            if !state.machine.hasWaiting { state.keeper = nil }
            return state.machine.hasWaiting
        })
    }

    private func ended(_ how: ProgramRun.End) {
        let (end, isClosing) = state.withLock { state in
            state.conversation = nil
            if state.machine.hasAnswered { state.backoff.reset() }
            return (state.machine.ended(), state.isClosing)
        }
        if !isClosing {
            logger.warning(
                "program has ended, and is started again",
                metadata: [
                    "program": "\(words[0])", "end": "\(ProgramFailed(program: words[0], end: how))",
                    "unanswered": .stringConvertible(end.unanswered.count + end.withdrawn.count),
                ])
        }
        fail(end.withdrawn, CancellationError())
        if end.withdrawn.isEmpty {
            fail(end.unanswered, ProgramFailed(program: words[0], end: how))
        } else {
            fail(end.unanswered, AskedBesideAnother(program: words[0]))
        }
    }

    /// Writes the next line with the lock held, so that nothing is withdrawn between: what is written does
    /// not wait.
    ///
    /// - Returns: what is left of it; nil where nothing can be written any more.
    private func writeNext(_ write: (ArraySlice<UInt8>) -> Int?) -> ArraySlice<UInt8>? {
        while true {
            let (left, late) = state.withLock { state -> (ArraySlice<UInt8>?, Question?) in
                guard let next = state.machine.next, let question = state.questions[next.ticket] else {
                    return ([], nil)
                }
                guard question.mayBeAsked() else {
                    _ = state.machine.withdraw(next.ticket)
                    return ([], state.questions.removeValue(forKey: next.ticket))
                }
                guard let count = write(question.line[...]) else { return (nil, nil) }
                // Else it waits on, also for another program.
                guard count > 0 else { return ([], nil) }
                state.machine.wrote(next)
                return (question.line.dropFirst(count), nil)
            }
            guard let late else { return left }
            late.continuation.resume(throwing: CancellationError())
        }
    }

    /// False for an answer to nothing that was asked.
    private func take(_ answer: ProgramAnswer) -> Bool {
        let (question, result, isDying) = state.withLock { state in
            let result = state.machine.answered(answer)
            return (
                result.flatMap { state.questions.removeValue(forKey: $0.ticket) }, result, state.machine.isDying
            )
        }
        guard let result else { return isDying }
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

/// A program was killed over another question. Whether it had read this one is not known, but what hung
/// was not this one: it has failed nothing. Each kill is an attempt of the other, so this ends.
struct AskedBesideAnother: AdvisesOnAttempts, Equatable, CustomStringConvertible {
    let program: String

    var description: String { "\(program) was killed since it did not answer another question in time" }
    var anotherAttempt: AnotherAttempt { .whenPossible(after: .milliseconds(100), others: true) }
}

/// What has no position is named by its key, and this key is too long for a line.
struct UnaskableKey: AdvisesOnAttempts, CustomStringConvertible {
    var description: String {
        "--exec-stream: the id made of its key is longer than \(AnswerLines.idLimit) bytes; use --exec for such keys"
    }
    var anotherAttempt: AnotherAttempt { .pointless }
}

/// An answer is a line with the id, and this id is no such line: it comes from an entry of a stream,
/// which any client may have added.
struct UnaskableRunID: AdvisesOnAttempts, CustomStringConvertible {
    var description: String {
        "--exec-stream: the run ID of this expiration cannot stand in a line: it has bytes beside 0x21 to 0x7E, or begins with {"
    }
    var anotherAttempt: AnotherAttempt { .pointless }
}
