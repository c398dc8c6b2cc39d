import Foundation
import Lapse
import LeaderElection
import Logging
import Testing

@testable import LapseHandlers

/// A real program for each expiration.
@Suite(.timeLimit(.minutes(1)))
struct ExecHandlerTests {
    private let expiration = Expiration(key: ExpirationKey("cart:42"))

    private func run(_ script: String, _ expiration: Expiration? = nil, logger: Logger = Logger(label: "test"))
        async throws
    {
        let expiration = expiration ?? self.expiration
        let handler = ExecHandler(["/bin/sh", "-c", script], replica: "a", without: ["LAPSE_HIDDEN"])
        try await handler(
            expiration, .testing(expiration, token: FencingToken(rawValue: 7), term: 3, attempt: 2, logger: logger))
    }

    @Test("the facts are in the environment and on stdin, the output in the log")
    func facts() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "exec-\(UUID())")
        defer { try? FileManager.default.removeItem(at: file) }
        try await run(
            #"echo "$LAPSE_KEY $LAPSE_TOKEN $LAPSE_TERM $LAPSE_ATTEMPT $LAPSE_ID $LAPSE_RECEIVED_AT" > \#(file.path); cat >> \#(file.path)"#
        )
        let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
        #expect(lines.first?.contains(/^cart:42 7 3 2 a \d{4}-\d\d-\d\dT[\d:.]+Z$/) == true, "\(lines)")
        let last = try #require(lines.last)
        let json = try #require(try JSONSerialization.jsonObject(with: Data(last.utf8)) as? [String: Any])
        #expect(json["key"] as? String == "cart:42" && json["token"] as? Int == 7 && json["attempt"] as? Int == 2)
    }

    @Test("how late it is, where that is known")
    func lag() async throws {
        let time = Date(timeIntervalSince1970: 1_795_000_000.125)
        try await run(
            #"test "$LAPSE_LAG_MS" = 12 && test "$LAPSE_DEADLINE" = 2026-11-18T11:06:40.125Z && grep -q '"lagMs":12'"#,
            Expiration(key: ExpirationKey("a"), deadline: time, lag: .milliseconds(12)))
        try await run(#"test -z "$LAPSE_LAG_MS$LAPSE_DEADLINE""#)
    }

    @Test("a key that no variable can hold is there in base64")
    func binaryKey() async throws {
        let key = ExpirationKey(bytes: [0xff, 0, 0x41])
        try await run(
            #"test "$LAPSE_KEY_BASE64" = /wBB && test -z "$LAPSE_KEY" && grep -q '"keyBase64":"/wBB"'"#,
            Expiration(key: key))
    }

    @Test("what has no position has an id that is the same at each attempt")
    func eventID() async throws {
        let key = ExpirationKey("a")
        let found = Expiration(key: key, position: Position(runID: "", ordinal: 0), value: [1])
        try await run(#"test "$LAPSE_EVENT_ID" = reconcile-0-YQ==-af63bc4c8601b62c"#, found)
        try await run(
            #"test "$LAPSE_EVENT_ID" = run-7"#, Expiration(key: key, position: Position(runID: "run", ordinal: 7)))
    }

    @Test("a key that is too long for a variable has an id all the same")
    func eventIDOfALongKey() async throws {
        for count in [(64 << 10) + 1, 1 << 20] {
            let key = ExpirationKey(String(repeating: "k", count: count))
            let position = Position(runID: "run", ordinal: 7)
            try await run(
                #"test "$LAPSE_EVENT_ID" = run-7 && test -z "$LAPSE_KEY$LAPSE_KEY_BASE64""#,
                Expiration(key: key, position: position))
            try await run(
                #"case "$LAPSE_EVENT_ID" in reconcile-0-*.\#(count)-*) ;; *) exit 1 ;; esac"#,
                Expiration(key: key, position: Position(runID: "", ordinal: 0), value: [1]))
        }
    }

    @Test("a lease that has run out starts no program")
    func noLease() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "exec-\(UUID())")
        let handler = ExecHandler(["/usr/bin/touch", file.path], replica: "a")
        await #expect(throws: CancellationError.self) {
            try await handler(expiration, .testing(expiration, token: FencingToken(rawValue: 1), leadingFor: .zero))
        }
        #expect(!FileManager.default.fileExists(atPath: file.path))
    }

    @Test(arguments: [(75, "asks to be called again"), (1, "exit code 1"), (127, "exit code 127")])
    func otherExitCodesFail(code: Int, text: String) async {
        let error = await #expect(throws: ProgramFailed.self) { try await run("exit \(code)") }
        #expect(error?.description.contains(text) == true, "\(String(describing: error))")
    }

    @Test func aProgramThatIsKilledHasFailed() async {
        let error = await #expect(throws: ProgramFailed.self) { try await run("kill -9 $$") }
        #expect(error?.end == .killed(9))
    }

    @Test("a program that reads no stdin, and one that leaves a process with its output behind, hold up nothing")
    func whatIsLeftBehind() async throws {
        let big = Expiration(key: ExpirationKey(String(repeating: "k", count: 1 << 20)))
        let handler = ExecHandler(["/bin/true"], replica: "a")
        try await handler(big, .testing(big, token: FencingToken(rawValue: 1)))
        try await run("setsid sleep 300 & exit 0")
        try await run("sleep 300 & exit 0")
        // In a session of its own it outlives the program; it ends when its output is not read any more.
        try await run("setsid sh -c 'while echo x; do :; done' & exit 0")
    }

    @Test("at the timeout the program and what it started are killed")
    func cancelled() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "exec-\(UUID())")
        defer { try? FileManager.default.removeItem(at: file) }
        let running = Task {
            try await run("sleep 301 & echo $! > \(file.path).new; mv \(file.path).new \(file.path); wait")
        }
        var pid: Int32?
        while pid == nil {
            pid = (try? String(contentsOf: file, encoding: .utf8)).flatMap {
                Int32($0.trimmingCharacters(in: .whitespacesAndNewlines))
            }
            try await Task.sleep(for: .milliseconds(5))
        }
        running.cancel()
        await #expect(throws: ProgramFailed.self) { try await running.value }
        let child = try #require(pid)
        while kill(child, 0) == 0,
            (try? String(contentsOfFile: "/proc/\(child)/stat", encoding: .utf8))?.contains(") Z") == false
        {
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    @Test func outputIsCutIntoLinesAndBounded() {
        var lines: [String] = []
        var output = OutputLines { lines.append($0) }
        output.append(Array("one\n\ntw".utf8)[...])
        output.append(Array("o\n".utf8)[...])
        #expect(lines == ["one", "two"])
        for _ in 0..<100 { output.append(ArraySlice([UInt8](repeating: 0x78, count: 4096))) }
        output.finish()
        #expect(lines.count == 4 && lines[2].utf8.count == 1024 && lines[3] == "(more output is not shown)")
    }
}
