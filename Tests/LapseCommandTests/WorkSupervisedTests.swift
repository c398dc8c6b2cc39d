import Foundation
import Glibc
import Testing
import ThrowawayRedis

/// `lapse work` below a parent, as it is in a container.
@Suite(.timeLimit(.minutes(2)), .serialized) struct WorkSupervisedTests {
    private func work(_ server: ThrowawayServer, _ words: String...) throws -> LapseBinary.Child {
        try LapseBinary.start(
            [
                "work", "--redis", server.url, "--stream", "exp", "--group", "g", "--claim-after", "600ms",
                "--supervise", "on",
            ] + words)
    }

    private func add(_ server: ThrowawayServer, _ numbers: ClosedRange<Int>) async throws {
        for number in numbers {
            _ = try await server.cli(
                "XADD", "exp", "*", "id", "run-\(number)", "key", "k:\(number)", "database", "0", "node", "n:1",
                "runId", "run", "ordinal", "\(number)", "origin", "live", "term", "1", "token", "5")
        }
    }

    private func waitUntilNothingIsPending(_ server: ThrowawayServer, _ child: LapseBinary.Child) async throws {
        try await waitUntil("nothing is pending", within: .seconds(20)) {
            let count = String(try await server.cli("XPENDING", "exp", "g").prefix { !$0.isNewline })
            return count == "0" ? nil : "\(count): \(child.text.errors)"
        }
    }

    @Test func oneThatIsKilledIsStartedAgainAndGoesOn() async throws {
        let server = try await ThrowawayServer.start()
        let done = try TemporaryFile("")
        let child = try work(
            server, "--exec", "sh -c 'sleep 0.3; echo $LAPSE_KEY >>\(done.path)'", "--concurrency", "1")
        let dead = try await child.worker()
        try await add(server, 1...4)
        try await waitUntil("it is in the middle of them", within: .seconds(20)) {
            try String(contentsOfFile: done.path, encoding: .utf8).isEmpty ? child.text.errors : nil
        }
        kill(dead, SIGKILL)
        try await waitUntil("all are handled", within: .seconds(20)) {
            let keys = try String(contentsOfFile: done.path, encoding: .utf8).split(separator: "\n")
            return Set(keys) == ["k:1", "k:2", "k:3", "k:4"] ? nil : "\(keys): \(child.text.errors)"
        }
        try await waitUntilNothingIsPending(server, child)
        #expect(child.text.errors.contains("the worker was ended by signal 9"))
        #expect(!child.text.errors.contains("lease"), "it has none: \(child.text.errors)")
        child.signal(SIGTERM)
        #expect(try await child.end().code == 0)
        await server.shutDown()
    }

    /// What leaves its program becomes a child of the parent, and no zombie when it has ended.
    @Test func whatAProgramLeavesBehindIsReaped() async throws {
        let server = try await ThrowawayServer.start()
        let left = try TemporaryFile("")
        // It leaves the group, too, and runs until its input ends.
        let program = "sh -c 'setsid sh -c \"echo \\$\\$ >\(left.path); exec sleep 1000\" & sleep 0.2'"
        let child = try work(server, "--exec", program)
        let worker = try await child.worker()
        try await add(server, 1...1)
        var orphan: Int32 = 0
        try await waitUntil("the parent has what was left", within: .seconds(20)) {
            let text = try String(contentsOfFile: left.path, encoding: .utf8)
            orphan = Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
            return ChildProcesses.of(child.pid).sorted() == [worker, orphan].sorted() ? nil : child.text.errors
        }
        kill(orphan, SIGKILL)
        try await waitUntil("it is no zombie", within: .seconds(10)) {
            kill(orphan, 0) == -1 && errno == ESRCH ? nil : "\(ChildProcesses.of(child.pid))"
        }
        try await waitUntilNothingIsPending(server, child)
        child.signal(SIGTERM)
        #expect(try await child.end().code == 0)
        await server.shutDown()
    }
}
