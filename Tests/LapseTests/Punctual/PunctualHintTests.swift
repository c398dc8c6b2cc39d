import Testing
import ThrowawayRedis

@testable import Lapse

/// Row 91: what happens to the hints happens to nothing else. On servers that expire nothing by themselves.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct PunctualHintTests {
    private func untouched(_ handler: RunningHandler) {
        let lost = handler.log.lines("subscription lost").filter { !$0.contains("shutting down") }
        #expect(lost.isEmpty && handler.log.lines("gap").isEmpty, "the feed and its numbering")
    }

    @Test("row 91: the connection of the hints is cut again and again")
    func cut() async throws {
        try await PunctualServer.with(.track) { server, configuration in
            let handler = RunningHandler()
            try await handler.run(configuration) {
                for round in 0..<10 {
                    try await server.script(
                        PunctualServer.arm(round * 50..<round * 50 + 50, milliseconds: 200...1_500))
                    for client in try await server.cli("CLIENT", "LIST").split(whereSeparator: \.isNewline)
                    where client.contains(":hints ") {
                        let id = try #require(client.split(separator: " ").first { $0.hasPrefix("id=") })
                        _ = try await server.cli("CLIENT", "KILL", "ID", "\(id.dropFirst(3))")
                    }
                }
                try await handler.waitFor((0..<500).map { "timer:\($0)" })
            }
            #expect(handler.keys.count == 500)
            untouched(handler)
        }
    }

    @Test("row 91: an ACL refuses the channels of the hints: it says so and sweeps")
    func refused() async throws {
        try await PunctualServer.with(.track, withoutHints: true) { server, configuration in
            let handler = RunningHandler()
            try await handler.run(configuration) {
                try await server.script(PunctualServer.arm(0..<200, milliseconds: 50...1_000))
                try await handler.waitFor((0..<200).map { "timer:\($0)" })
            }
            #expect(handler.keys.count == 200)
            let told = handler.log.lines("no hints: sweeping instead")
            #expect(told.count == 1 && told[0].contains("NOPERM"), "\(told)")
            untouched(handler)
        }
    }
}
