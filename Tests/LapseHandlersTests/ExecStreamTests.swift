import Foundation
import Glibc
import Lapse
import LeaderElection
import Logging
import Testing
import Timing

@testable import LapseHandlers

/// A real program that is asked about each expiration.
@Suite(.timeLimit(.minutes(1)))
struct ExecStreamTests {
    init() { _ = signal(SIGPIPE, SIG_IGN) }

    /// Its `id` in $id and its `key` in $key, for each line.
    private static let reading = """
        field() { rest=${line#*\\"$1\\":\\"}; echo "${rest%%\\"*}"; }
        while read -r line; do id=$(field id); key=$(field key);
        """

    private static func handler(_ body: String) -> ExecStreamHandler {
        ExecStreamHandler(["/bin/sh", "-c", "\(reading) \(body) done"], replica: "a")
    }

    private static func ask(
        _ handler: ExecStreamHandler, _ key: String, _ ordinal: UInt64 = 1, leadingFor lead: Duration = .seconds(60)
    ) async throws {
        let expiration = Expiration(
            key: ExpirationKey(key), position: Position(runID: "run", ordinal: ordinal))
        try await handler(expiration, .testing(expiration, token: FencingToken(rawValue: 7), leadingFor: lead))
    }

    @Test("one program is asked about all, and each answer reaches whom it concerns")
    func answers() async throws {
        let handler = Self.handler(
            """
            case $key in
            bad) echo "{\\"id\\": \\"$id\\", \\"error\\": \\"no such cart\\"}";;
            later) echo "{\\"id\\": \\"$id\\", \\"again\\": true}";;
            object) echo "{\\"id\\": \\"$id\\"}";;
            pid) echo "{\\"id\\": \\"$id\\", \\"error\\": \\"$$\\"}";;
            *) echo "$id";;
            esac;
            """)
        try await withThrowingTaskGroup(of: Void.self) { group in
            // At once: the answers come in the order of the questions, which is not that of the calls.
            for ordinal in 1...20 as ClosedRange<UInt64> {
                group.addTask { try await Self.ask(handler, ordinal % 2 == 0 ? "plain" : "object", ordinal) }
            }
            try await group.waitForAll()
        }
        let failed = await #expect(throws: ProgramAnswered.self) { try await Self.ask(handler, "bad") }
        #expect(failed?.description == "/bin/sh answered: no such cart")
        let again = await #expect(throws: ProgramAnswered.self) { try await Self.ask(handler, "later") }
        #expect(again?.error == nil)
        let first = await #expect(throws: ProgramAnswered.self) { try await Self.ask(handler, "pid") }
        let second = await #expect(throws: ProgramAnswered.self) { try await Self.ask(handler, "pid") }
        #expect(first == second, "it is one process")
        await handler.shutDown()
    }

    @Test("what a program had not answered when it ended has failed, and the next one answers")
    func restarted() async throws {
        let handler = Self.handler("case $key in last) exit 3;; *) echo $id;; esac;")
        try await Self.ask(handler, "a")
        let error = await #expect(throws: ProgramFailed.self) { try await Self.ask(handler, "last") }
        #expect(error?.end == .exited(3))
        try await Self.ask(handler, "b")
        await handler.shutDown()
    }

    @Test("a program that answers nothing is killed with the attempt, and what it was asked beside has failed nothing")
    func stuck() async throws {
        let handler = Self.handler(
            "case $key in stuck) sleep 300;; silent) echo \"asked\" >&2;; *) echo $id;; esac;")
        try await Self.ask(handler, "a")
        let beside = Task { try await Self.ask(handler, "silent", 2) }
        let running = Task { try await Self.ask(handler, "stuck", 3) }
        while handler.asked < 2 { try await Task.sleep(for: .milliseconds(2)) }
        running.cancel()
        await #expect(throws: CancellationError.self) { try await running.value }
        let error = await #expect(throws: AskedBesideAnother.self) { try await beside.value }
        #expect(error?.anotherAttempt == .whenPossible(after: .milliseconds(100), others: true))
        try await Self.ask(handler, "b", 4)
        await handler.shutDown()
    }

    @Test("an attempt that is cut off is over when its program is, and what was not written waits for the next")
    func dead() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "stream-\(UUID())")
        defer { try? FileManager.default.removeItem(at: file) }
        // The first program reads nothing.
        let handler = ExecStreamHandler(
            [
                "/bin/sh", "-c",
                "[ -e \(file.path) ] || { echo $$ > \(file.path); exec sleep 300; }; \(Self.reading) echo $id; done",
            ], replica: "a")
        let long = Task { try await Self.ask(handler, String(repeating: "x", count: 200_000), 1) }
        while handler.asked < 1 { try await Task.sleep(for: .milliseconds(2)) }
        let unwritten = Task { try await Self.ask(handler, "k", 2) }
        while handler.waiting < 1 { try await Task.sleep(for: .milliseconds(2)) }
        var pid: pid_t?
        while pid == nil {
            pid = (try? String(contentsOf: file, encoding: .utf8)).flatMap {
                $0.last == "\n" ? pid_t($0.dropLast()) : nil
            }
            try await Task.sleep(for: .milliseconds(2))
        }
        long.cancel()
        await #expect(throws: CancellationError.self) { try await long.value }
        let signalled = kill(try #require(pid), 0)
        #expect(signalled == -1 && errno == ESRCH)
        try await unwritten.value
        await handler.shutDown()
    }

    @Test("a stop waits for no pause between two programs")
    func stopInPause() async throws {
        let hour = Duration.seconds(3600)
        let handler = ExecStreamHandler(
            ["/bin/sh", "-c", "read -r line; exit 3"], replica: "a", backoff: Backoff(first: hour, cap: hour))
        await #expect(throws: ProgramFailed.self) { try await Self.ask(handler, "a") }
        let waits = Task { try await Self.ask(handler, "b", 2) }
        while handler.waiting < 1 { try await Task.sleep(for: .milliseconds(2)) }
        await handler.shutDown()
        await #expect(throws: CancellationError.self) { try await waits.value }
    }

    @Test("an id that cannot be a line is not asked", arguments: ["two words", "a\nb", "{", "ü"])
    func unaskable(runID: String) async throws {
        let handler = Self.handler("echo $id;")
        let expiration = Expiration(key: ExpirationKey("k"), position: Position(runID: runID, ordinal: 1))
        let error = await #expect(throws: UnaskableRunID.self) {
            try await handler(expiration, .testing(expiration, token: FencingToken(rawValue: 7)))
        }
        #expect(error?.anotherAttempt == .pointless)
        await handler.shutDown()
    }

    @Test("a lease that has run out asks nothing, and a program that is not there is a failure")
    func notAsked() async throws {
        let handler = Self.handler("echo $id;")
        await #expect(throws: CancellationError.self) { try await Self.ask(handler, "a", leadingFor: .zero) }
        try await Self.ask(handler, "b")
        await handler.shutDown()
        await #expect(throws: CancellationError.self) { try await Self.ask(handler, "c") }
        let missing = ExecStreamHandler(["/no/such/program"], replica: "a")
        let error = await #expect(throws: (any Error).self) { try await Self.ask(missing, "a") }
        #expect("\(String(describing: error))".contains("/no/such/program"))
        await missing.shutDown()
    }

    @Test("answers to nothing that was asked change nothing")
    func hostile() async throws {
        let handler = ExecStreamHandler(
            [
                "/bin/sh", "-c",
                """
                head -c 3000000 /dev/zero; echo; echo nonsense line; echo run-99; echo '{"id":'
                \(Self.reading) echo $id; echo $id; echo '{"id": "run-77", "error": "x"}'; done
                """,
            ], replica: "a")
        for ordinal in 1...5 as ClosedRange<UInt64> { try await Self.ask(handler, "k", ordinal) }
        await handler.shutDown()
    }

    @Test("at the end its stdin is closed, and it may end by itself")
    func farewell() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "stream-\(UUID())")
        defer { try? FileManager.default.removeItem(at: file) }
        let handler = ExecStreamHandler(
            [
                "/bin/sh", "-c",
                "exec 2>&-; \(Self.reading) echo $id; done; exec >&-; sleep 0.2; echo over > \(file.path)",
            ], replica: "a")
        try await Self.ask(handler, "k")
        await handler.shutDown()
        #expect(try String(contentsOf: file, encoding: .utf8) == "over\n")
    }
}

@Suite struct ProgramAnswerTests {
    private func answer(_ line: String) -> ProgramAnswer? { ProgramAnswer(Array(line.utf8)[...]) }

    @Test func linesAreIDsOrObjects() {
        #expect(answer("run-7")?.verdict == .handled)
        #expect(answer(#"{"id":"run-7"}"#)?.id == "run-7")
        #expect(answer(#"{"id":"run-7","again":true,"more":[1]}"#)?.verdict == .again)
        #expect(answer(#"{"id":"run-7","again":false}"#)?.verdict == .handled)
        #expect(answer(#"{"id":"run-7","error":"no"}"#)?.verdict == .failed("no"))
        let long = answer(#"{"id":"a","error":""# + String(repeating: "x", count: 5000) + #""}"#)
        #expect(long?.verdict == .failed(String(repeating: "x", count: 1024)))
        for line in ["", "two words", "{", "{}", #"{"id":""}"#, #"{"id":7}"#, "[]\t", "ü"] {
            #expect(answer(line) == nil)
        }
    }

    @Test func linesAreBounded() {
        var lines = AnswerLines()
        var found: [String?] = []
        func add(_ bytes: [UInt8]) {
            lines.append(bytes[...]) { found.append($0.map { String(decoding: $0, as: UTF8.self) }) }
        }
        add(Array("one\r\ntw".utf8))
        add(Array("o\n\n".utf8))
        #expect(found == ["one", "two", ""])
        for _ in 0..<40 { add([UInt8](repeating: 0x78, count: 64 << 10)) }
        add(Array("\nnext\n".utf8))
        #expect(found.dropFirst(3) == [nil, "next"])
    }
}

@Suite struct ConversationMachineTests {
    private func asked(_ questions: (UInt64, String)...) -> ConversationMachine {
        var machine = ConversationMachine()
        for (ticket, id) in questions {
            machine.ask(.init(ticket: ticket, id: id))
            if let next = machine.next { machine.wrote(next) }
        }
        return machine
    }

    private func handled(_ id: String) -> ProgramAnswer { ProgramAnswer(id: id, verdict: .handled) }

    @Test func anAnswerCountsOnce() {
        var machine = asked((1, "a"), (2, "b"))
        #expect(machine.answered(handled("b")) == .init(ticket: 2, verdict: .handled))
        #expect(machine.answered(handled("b")) == nil && machine.answered(handled("c")) == nil)
        #expect(machine.answered(handled("a"))?.ticket == 1)
        #expect(machine.isIdle)
    }

    @Test func anIDIsAskedAgainWhenItIsAnswered() {
        var machine = asked((1, "a"), (2, "a"), (3, "b"))
        #expect(machine.askedCount == 2 && machine.next == nil && machine.hasWaiting)
        #expect(machine.answered(handled("a"))?.ticket == 1)
        #expect(machine.answered(handled("a")) == nil, "the other one has not been asked")
        #expect(machine.next?.ticket == 2)
    }

    @Test func anAnswerBeforeItsQuestionIsNone() {
        var machine = ConversationMachine()
        machine.ask(.init(ticket: 1, id: "a"))
        #expect(machine.answered(handled("a")) == nil && machine.hasWaiting)
    }

    @Test func whatWasNotAskedWaitsForTheNextProgram() {
        var machine = asked((1, "a"), (2, "b"))
        machine.ask(.init(ticket: 3, id: "c"))
        _ = machine.answered(handled("a"))
        #expect(machine.hasAnswered && machine.ended() == .init(unanswered: [2]) && !machine.hasAnswered)
        #expect(machine.next?.ticket == 3)
        #expect(machine.answered(handled("b")) == nil, "it was asked of another program")
        #expect(machine.giveUp() == [3] && machine.isIdle)
    }

    @Test func onlyWhatWasAskedIsWorthAKill() {
        var machine = asked((1, "a"), (2, "b"))
        machine.ask(.init(ticket: 3, id: "c"))
        machine.ask(.init(ticket: 4, id: "d"))
        #expect(machine.withdraw(3) == .none && machine.next?.ticket == 4)
        #expect(machine.withdraw(1) == .kill && machine.next == nil, "a program that is killed is asked nothing")
        #expect(machine.answered(handled("a")) == nil && machine.isDying)
        #expect(machine.ended() == .init(unanswered: [2], withdrawn: [1]))
        #expect(machine.next?.ticket == 4 && machine.withdraw(1) == .none)
    }
}
