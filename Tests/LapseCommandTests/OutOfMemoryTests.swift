import Foundation
import Glibc
import Testing
import ThrowawayRedis

/// Row 87: memory that runs out under a limit.
@Suite(.timeLimit(.minutes(3)), .serialized) struct OutOfMemoryTests {
    /// Short enough for the reader of replies, which takes a lack of memory for a broken connection.
    private static let keyLength = 1000
    private static let keys = 200_000
    private static let keysAtOnce = 2000

    private static func start(_ server: ThrowawayServer, _ id: String, running program: String) throws
        -> LapseBinary.Child
    {
        try LapseBinary.start(
            [
                "run", "--redis", server.url, "--id", id, "--admin", "off", "--exec", "sh \(program)",
                "--concurrency", "1", "--log-bytes", "1GiB", "--log-total-bytes", "1GiB", "--log-keys", "hash",
                "--supervise", "on", "--lease-ttl", "6s", "--drain", "1s",
            ],
            // What is mapped is what is used: glibc maps 64 MB for each of its arenas.
            environment: ["MALLOC_ARENA_MAX": "1"])
    }

    private static func mapped(_ pid: Int32) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmSize:") })
        return try #require(line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }) << 10
    }

    /// The soft limit, which can be lifted again.
    private static func limit(_ pid: Int32, to bytes: String) async throws {
        let command = try await ThrowawayProcess.start("prlimit", ["--pid", "\(pid)", "--as=\(bytes):"])
        try await waitUntil("the limit is set", within: .seconds(10)) { command.isRunning ? "not yet" : nil }
        let limits = try String(contentsOfFile: "/proc/\(pid)/limits", encoding: .utf8)
        let line = limits.split(separator: "\n").first { $0.hasPrefix("Max address space") } ?? ""
        try #require(line.split(separator: " ").dropFirst(3).first.map(String.init) == bytes, "\(command.output)")
    }

    /// Lets long keys expire, as many at a time as a feed takes well; returns how many.
    private func expire(on server: ThrowawayServer, until isEnough: () -> Bool) async throws -> Int {
        var sent = 0
        while sent < Self.keys, !isEnough() {
            try await server.cli(
                "EVAL",
                """
                for i = \(sent + 1), \(sent + Self.keysAtOnce) do
                  redis.call('SET', i .. ':' .. string.rep('x', \(Self.keyLength)), 'v', 'PX', 20)
                end
                """, "0")
            sent += Self.keysAtOnce
            try await waitUntil("they have expired", within: .seconds(30)) {
                let count = try await server.expiredKeys()
                return count >= sent ? nil : "\(count) have"
            }
        }
        return sent
    }

    /// What has expired and is not handled yet does not fit: the worker dies by its runtime's own fatal
    /// error. The releaser is under the same limit, since the parent is.
    @Test func theLeaseIsReleasedAndTheNextHandles() async throws {
        let server = try await ThrowawayServer.start()
        let begun = try TemporaryFile("")
        let program = try TemporaryFile("echo $LAPSE_ID >> \(begun.path)\nexec sleep 1000\n")
        let first = try Self.start(server, "one", running: program.path)
        try await first.waitUntilItLeads()
        let second = try Self.start(server, "two", running: program.path)
        try await waitUntil("it follows", within: .seconds(20)) {
            second.text.errors.contains("following") ? nil : second.text.errors
        }
        try await first.waitUntilItHasLedForLong()
        let worker = try await first.worker()
        let limit = try Self.mapped(worker)
        for pid in [first.pid, worker] { try await Self.limit(pid, to: "\(limit)") }
        let sent = try await expire(on: server) {
            first.text.errors.contains("the worker was ended by signal")
        }
        try await waitUntil("the worker dies", within: .seconds(30)) {
            first.text.errors.contains("the worker was ended by signal") ? nil : first.text.errors
        }
        try await waitUntil("the next leader handles", within: .seconds(30)) {
            try String(contentsOfFile: begun.path, encoding: .utf8).contains("two") ? nil : second.text.errors
        }
        #expect(first.text.errors.contains("lease released for a worker that died"), "\(first.text.errors)")
        #expect(try await server.expiredKeys() == sent, "a lease ran out: \(first.text.errors)")
        // A worker that begins under the limit may die of the same keys.
        try await Self.limit(first.pid, to: "unlimited")
        try await waitUntil("another worker follows", within: .seconds(30)) {
            first.text.errors.contains("following") ? nil : first.text.errors
        }
        for child in [first, second] {
            child.signal(SIGTERM)
            #expect(try await child.end().code == 0, "\(child.text.errors)")
        }
        withExtendedLifetime((begun, program)) {}
        await server.shutDown()
    }
}
