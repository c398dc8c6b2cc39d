import Synchronization
import Testing
import ThrowawayRedis

@testable import Lapse

/// Row 55: a dead-letter stream that cannot be written.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct DeadLetterServerTests {
    private struct Failure: Error, CustomStringConvertible {
        var description: String { "too bad: " + String(repeating: "x", count: 100_000) }
    }

    private func run(
        on server: ThrowawayServer, user: String = "", _ body: @escaping @Sendable (RunningHandler) async throws -> Void
    ) async throws -> RunningHandler {
        var configuration = ProcessorConfiguration(
            redis: ["redis://\(user)\(server.address)"], name: "letters", match: ["k:*"])
        configuration.leaseTTL = .seconds(2)
        configuration.retries = 2
        configuration.concurrency = 4
        configuration.deadLetter = "letters"
        let handler = RunningHandler()
        do {
            try await handler.run(configuration) { expiration in
                if "\(expiration.key)".hasPrefix("k:bad") { throw Failure() }
            } _: {
                try await body(handler)
            }
        } catch {
            await server.shutDown()
            throw error
        }
        return handler
    }

    /// Keys that fail, then others; the others are handled, and the failing ones end in the log.
    private func fail(_ count: Int, _ server: ThrowawayServer, _ handler: RunningHandler) async throws {
        let bad = (0..<count).map { "k:bad:\($0)" }
        try await server.script(bad.map { "SET \($0) 1 PX 20" })
        try await handler.waitFor(bad)
        let others = (0..<20).map { "k:good:\($0)" }
        try await server.script(others.map { "SET \($0) 1 PX 20" })
        try await handler.waitFor(others)
        try await waitUntil("all are dead letters", within: .seconds(60)) {
            let account = handler.status?.nodes.first?.account ?? NodeAccount()
            return account.deadLettered == UInt64(count) && account.handled >= 20 ? nil : "\(account)"
        }
    }

    @Test(
        "the key holds something else: the handler is called no more often than allowed, and 1 100 such keys stop nothing"
    )
    func anotherType() async throws {
        let server = try await ThrowawayServer.start()
        try await server.cli("SET", "letters", "no stream")
        let handler = try await run(on: server) { handler in
            #expect(handler.log.lines("dead letters cannot be written").count > 0, "it is told before anything fails")
            try await fail(1100, server, handler)
        }
        let told = handler.log.lines("dead letters cannot be written")
        #expect(told.allSatisfy { $0.contains("WRONGTYPE") && $0.contains("fix=name another key by --dead-letter") })
        #expect(told.count < 10)
        let letters = handler.log.lines("dead-lettered")
        #expect(letters.count == 1100)
        #expect(letters.allSatisfy { $0.contains("notInStream=") && $0.utf8.count < 6_000 })
        let calls = Dictionary(grouping: handler.keys, by: { $0 }).mapValues(\.count)
        #expect(calls.allSatisfy { key, count in count == (key.hasPrefix("k:bad") ? 3 : 1) })
        #expect(try await server.cli("GET", "letters") == "no stream")
        await server.shutDown()
    }

    @Test("what keeps it from being written passes: the letter is in the stream after all, and is bounded")
    func aPassingFailure() async throws {
        let server = try await ThrowawayServer.start()
        try await server.cli("SET", "letters", "no stream")
        let handler = try await run(on: server) { handler in
            try await server.cli("SET", "k:bad:1", "1", "PX", "20")
            try await waitUntil("it is to be written", within: .seconds(20)) {
                handler.keys.count == 3 ? nil : "\(handler.keys.count)"
            }
            try await server.cli("DEL", "letters")
            try await waitUntil("it is a dead letter", within: .seconds(20)) {
                handler.status?.nodes.first?.account?.deadLettered == 1 ? nil : "not yet"
            }
            let entry = try await server.cli("XRANGE", "letters", "-", "+")
            #expect(entry.contains("k:bad:1") && entry.contains("formatVersion") && entry.utf8.count < 6_000)
        }
        #expect(handler.log.lines("dead-lettered").allSatisfy { !$0.contains("notInStream") })
        await server.shutDown()
    }

    @Test("how many letters wait is asked of the stream: those of earlier runs count, too")
    func counted() async throws {
        let server = try await ThrowawayServer.start()
        for _ in 0..<3 { try await server.cli("XADD", "letters", "*", "key", "k:old") }
        _ = try await run(on: server) { handler in
            try await waitUntil("they are counted", within: .seconds(20)) {
                handler.status?.deadLetters == 3 ? nil : "\(handler.status?.deadLetters ?? -1)"
            }
        }
        await server.shutDown()
    }

    @Test("the right is missing, or memory is full: told at the start", arguments: ["NOPERM", "OOM"])
    func refused(_ code: String) async throws {
        var options = ServerOptions()
        if code == "NOPERM" { options.users = ["user lapse on >secret ~* &* +@all -xadd"] }
        let server = try await ThrowawayServer.start(options)
        let handler = try await run(on: server, user: code == "NOPERM" ? "lapse:secret@" : "") { handler in
            if code == "OOM" {
                // The next term's check meets it; so does the letter of this one.
                try await server.cli("SET", "k:bad:0", "1", "PX", "400")
                try await server.cli("CONFIG", "SET", "maxmemory", "1")
                try await waitUntil("it is told", within: .seconds(20)) {
                    handler.log.lines("dead letters cannot be written").isEmpty ? "\(handler.log.lines)" : nil
                }
                try await server.cli("CONFIG", "SET", "maxmemory", "0")
            } else {
                #expect(!handler.log.lines("dead letters cannot be written").isEmpty)
                try await fail(3, server, handler)
            }
        }
        let told = handler.log.lines("dead letters cannot be written")
        #expect(told.allSatisfy { $0.contains("fix=") }, "\(told)")
        if code == "NOPERM" { #expect(handler.log.lines("dead-lettered").count == 3) }
        await server.shutDown()
    }

    /// More letters than are written at once, each of them once.
    @Test func nothingIsToldOfAStreamThatCanBeWritten() async throws {
        let server = try await ThrowawayServer.start()
        let handler = try await run(on: server) { handler in
            #expect(try await server.cli("EXISTS", "letters") == "0", "the check makes no stream")
            try await fail(300, server, handler)
            #expect(try await server.cli("XLEN", "letters") == "300")
            let entries = try await server.cli("XRANGE", "letters", "-", "+").split(separator: "\n")
            #expect(Set(entries.filter { $0.contains("k:bad:") }).count == 300)
        }
        #expect(handler.log.lines("dead-lettered").count == 300)
        #expect(handler.log.lines("dead letters cannot be written").isEmpty)
        await server.shutDown()
    }
}
