import Foundation
import Testing
import ThrowawayRedis

@testable import Lapse

/// Row 88, on a server: what a leader does whose predecessors died, as far as one process can show it.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct CarefulHandlingTests {
    private struct Failure: Error {}

    /// `inBatches`: with one batch at a time.
    @Test(
        "a suspect that leaders died over is a dead letter; all others are handled, and the term counts as closed",
        arguments: [false, true])
    func condemned(inBatches: Bool) async throws {
        let server = try await ThrowawayServer.start()
        var configuration = ProcessorConfiguration(redis: [server.url], name: "careful", match: ["k:*"])
        configuration.leaseTTL = .seconds(2)
        configuration.deadLetter = "letters"
        // A first term, so that the next one begins where it ended.
        let first = RunningHandler()
        try await first.run(configuration) {
            try await server.script(["SET k:first 1 PX 10"])
            try await first.waitFor(["k:first"])
        }
        let progress = try await server.cli("KEYS", "*:careful:progress").trimmingCharacters(in: .newlines)
        #expect(try await server.cli("HGET", progress, "unclosed") == "0", "it ended as it should")
        let info = try await server.cli("INFO", "all")
        let lines = info.split(whereSeparator: \.isNewline)
        let runID = try #require(lines.first { $0.hasPrefix("run_id:") }?.dropFirst("run_id:".count))
        let expired = try #require(
            lines.first { $0.hasPrefix("expired_keys:") }.flatMap { Int($0.dropFirst("expired_keys:".count)) })
        // Two died, and of the third it is known what it had begun for the third time.
        try await server.cli("HSET", progress, "unclosed", "3")
        try await server.cli("HSET", progress, "begun", "v1 1 \(runID):\(expired + 3):2!")
        let keys = (1...40).map { "k:\($0)" }
        let next = RunningHandler()
        try await next.run(configuration, inBatches: inBatches) {
            for key in keys {
                try await server.cli("SET", key, "1", "PX", "1")
                try await waitUntil("it expires", within: .seconds(5)) {
                    try await server.cli("EXISTS", key) == "0" ? nil : "not yet"
                }
            }
            try await next.waitFor(keys.filter { $0 != "k:3" })
            try await waitUntil("the suspect is buried", within: .seconds(10)) {
                next.status?.nodes.first?.account?.deadLettered == 1 ? nil : "not yet"
            }
            try await waitUntil("the term counts as closed", within: .seconds(20)) {
                let fields = try await server.cli("HMGET", progress, "unclosed", "begun")
                return fields.hasPrefix("0") && !fields.contains(runID) ? nil : fields
            }
        }
        #expect(!next.keys.contains("k:3"))
        #expect(next.keys.count == 39)
        let letter = try await server.cli("XRANGE", "letters", "-", "+")
        #expect(letter.contains("k:3") && letter.contains("3 leaders died while it was handled"))
        #expect(next.log.lines("leaders died one after the other").count == 1)
        await server.shutDown()
    }
}
