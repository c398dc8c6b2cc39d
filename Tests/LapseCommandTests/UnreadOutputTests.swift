import Console
import Foundation
import Glibc
import Lapse
import LapseHandlers
import Testing
import ThrowawayRedis

@testable import LapseCommand

/// Results that are not read: stdout full, closed or unread.
@Suite(.timeLimit(.minutes(2)), .serialized) struct UnreadOutputTests {
    /// The end of a command whose stdout a shell redirects.
    private func run(_ arguments: [String], _ redirection: String) async throws -> LapseBinary.Run {
        let child = try LapseBinary.start(arguments, redirected: redirection)
        return try await child.end()
    }

    @Test(arguments: [
        (">/dev/full", "lapse: stdout cannot be written: No space left on device"), (">&-", "lapse: stdout is closed"),
    ])
    func noSubcommandSucceedsUnheard(redirection: String, reason: String) async throws {
        let server = try await ThrowawayServer.start()
        let redis = ["--redis", server.url]
        for arguments in [["--version"], ["run", "--help"], ["status"] + redis, ["doctor"] + redis, ["demo"]]
        where arguments != ["demo"] || redirection == ">/dev/full" {
            let run = try await run(arguments, redirection)
            #expect(run.code == 70, "\(arguments): \(run)")
            #expect(run.lastLine == reason, "\(arguments): \(run.errors)")
        }
        await server.shutDown()
    }

    /// Whatever is opened first must not take the place of a closed stdout.
    @Test(arguments: [["run", "--handler", "ndjson", "--admin", "off"], ["tail"]])
    func aClosedStdoutEndsTheServices(arguments: [String]) async throws {
        let server = try await ThrowawayServer.start()
        let run = try await run(arguments + ["--redis", server.url], ">&-")
        #expect(run.code == 70, "\(run)")
        #expect(run.lastLine == "lapse: stdout is closed", "\(run.errors)")
        await server.shutDown()
    }

    @Test func aServiceThatPrintsNothingNeedsNoStdout() async throws {
        let server = try await ThrowawayServer.start()
        let child = try LapseBinary.start(
            ["run", "--redis", server.url, "--lease-ttl", "1s", "--admin", "off"], redirected: "<&- >&-")
        try await waitUntil("it leads", within: .seconds(15)) {
            child.text.errors.contains("became leader") ? nil : child.text.errors
        }
        child.signal(SIGTERM)
        #expect(try await child.end().code == 0)
        await server.shutDown()
    }

    /// A reader that is there and does not read: the service says so, and ends all the same when asked to.
    @Test(arguments: [
        ["run", "--handler", "ndjson", "--lease-ttl", "1s", "--drain", "1s", "--admin", "off"], ["tail"],
    ])
    func aReaderThatDoesNotReadIsTold(arguments: [String]) async throws {
        let server = try await ThrowawayServer.start()
        let child = try LapseBinary.start(
            arguments + ["--redis", server.url, "--log-level", "debug"], readsOutput: false)
        try await waitUntil("it listens", within: .seconds(15)) {
            let text = child.text.errors
            return text.contains("subscribed") && (arguments[0] == "tail" || text.contains("became leader"))
                ? nil : text
        }
        // More than a pipe takes.
        let key = String(repeating: "k", count: 1000)
        try await server.script((0..<200).map { "SET \(key)\($0) v PX 20" })
        try await waitUntil("it is told", within: .seconds(30)) {
            child.text.errors.contains("stdout is not read") ? nil : child.text.errors
        }
        child.signal(SIGTERM)
        let run = try await child.end()
        if arguments[0] == "tail" {
            #expect(run.code == 70)
            #expect(run.lastLine == "lapse: stdout was not read: not every expiration could be printed")
        } else {
            #expect(run.code == 0, "\(run.errors)")
        }
        await server.shutDown()
    }

    @Test func whatATailHasNotPrintedIsBoundedInBytes() async throws {
        let queue = TailQueue(room: 1_000)
        let batch = [UInt8](repeating: 0, count: 400)
        #expect(queue.put(batch))
        #expect(queue.put(batch))
        #expect(!queue.put(batch), "there is no room for a third")
        var lines = queue.lines.makeAsyncIterator()
        let first = await lines.next()
        queue.printed(try #require(first))
        #expect(queue.put(batch))
        // Alone it has room, however large.
        #expect(TailQueue(room: 1).put(batch))
    }

    /// The thread that logs may be the one that renews, drains or ends the process.
    @Test func aLogThatIsNotReadHoldsUpNoEnd() async throws {
        let server = try await ThrowawayServer.start()
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let pipe = folder.appending(path: "errors").path
        let made = unsafe mkfifo(pipe, 0o600)
        try #require(made == 0)
        let reader = unsafe open(pipe, O_RDWR | O_NONBLOCK)
        defer { close(reader) }
        let child = try LapseBinary.start(
            [
                "run", "--redis", server.url, "--lease-ttl", "1s", "--drain", "1s", "--admin", "off", "--log-level",
                "debug",
            ], redirected: "2> \(pipe)")
        let isFull = { () -> Bool in
            var interest = pollfd(fd: reader, events: Int16(POLLOUT), revents: 0)
            return unsafe poll(&interest, 1, 0) == 0
        }
        try await waitUntil("it leads", within: .seconds(15)) {
            let holder = try await server.cli("KEYS", "*:lock")
            return holder.isEmpty ? "no lock" : nil
        }
        let key = String(repeating: "k", count: 1000)
        try await waitUntil("the pipe is full", within: .seconds(30)) {
            try await server.script((0..<100).map { "SET \(key)\($0) v PX 20" })
            return isFull() ? nil : "there is room"
        }
        child.signal(SIGTERM)
        #expect(try await child.end().code == 0)
        #expect(try await server.cli("KEYS", "*:lock").isEmpty, "the lease was given back")
        await server.shutDown()
    }
}

@Suite struct EndRequestsTests {
    @Test func oneSecondIsOneRequest() {
        let start = ContinuousClock.now
        var requests = EndRequests()
        #expect(requests.received(at: start) == .begin)
        #expect(requests.received(at: start + .milliseconds(1)) == .same)
        #expect(requests.received(at: start + .seconds(1)) == .same)
        #expect(requests.received(at: start + .milliseconds(1001)) == .endAtOnce)
    }
}

@Suite struct WriteStallTests {
    @Test func aStallIsToldAfterFiveSecondsAndEachMinute() {
        let start = ContinuousClock.now
        var stall = WriteStall()
        #expect(stall.look(at: start + .seconds(100)) == nil, "nothing is under way")
        stall.began(at: start)
        #expect(stall.look(at: start + .seconds(4)) == nil)
        #expect(stall.look(at: start + .seconds(5)) == 5)
        #expect(stall.look(at: start + .seconds(60)) == nil)
        #expect(stall.look(at: start + .seconds(65)) == 65)
        stall.ended()
        #expect(stall.look(at: start + .seconds(200)) == nil)
    }
}
