import Synchronization
import Testing
import ThrowawayRedis

@testable import Lapse

/// Row 91: what happens to the hints happens to nothing else. On servers that expire nothing by
/// themselves.
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

    @Test("row 91: the address leads to another server, while the former one goes on and keeps the hints' connection")
    func addressMoves() async throws {
        var options = ServerOptions()
        options.notifications = "Exg"
        options.extra = ["enable-debug-command yes"]
        let former = try await ThrowawayServer.start(options)
        let server = try await ThrowawayServer.start(options)
        let locks = try await ThrowawayServer.start()
        let relay = try Relay(to: former)
        var configuration = ProcessorConfiguration(redis: [relay.url], name: "punctual", match: ["timer:*"])
        configuration.punctual = .track
        // The term goes on.
        configuration.lockServers = [locks.url]
        let handler = RunningHandler()
        do {
            for server in [former, server] { try await server.cli("DEBUG", "SET-ACTIVE-EXPIRE", "0") }
            try await handler.run(configuration) {
                try await former.script(PunctualServer.arm(0..<50, milliseconds: 50...500))
                try await handler.waitFor((0..<50).map { "timer:\($0)" })
                relay.lead(to: server)
                for client in try await former.cli("CLIENT", "LIST").split(whereSeparator: \.isNewline)
                where client.contains("name=lapse") && !client.contains(":hints ") {
                    let id = try #require(client.split(separator: " ").first { $0.hasPrefix("id=") })
                    _ = try await former.cli("CLIENT", "KILL", "ID", "\(id.dropFirst(3))")
                }
                try await waitUntil("the hints have moved", within: .seconds(30)) {
                    try await server.cli("CLIENT", "LIST").contains(":hints ") ? nil : "not yet"
                }
                try await server.script(PunctualServer.arm(50..<100, milliseconds: 50...500))
                try await handler.waitFor((50..<100).map { "timer:\($0)" })
            }
            #expect(handler.keys.count == 100)
            #expect(handler.log.lines("became leader").count == 1)
        } catch { Issue.record(error) }
        relay.shutDown()
        for server in [former, server, locks] { await server.shutDown() }
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

    @Test(
        "row 91: whether class g is there is not known: keys that no hint told of come by sweeps",
        arguments: ["Ex", "Exg"])
    func flagsUnknown(flags: String) async throws {
        try await PunctualServer.with(.track, notifications: flags, { $0.notifications = .off }) {
            server, configuration in
            let handler = RunningHandler()
            try await handler.run(configuration) {
                // The second ones are behind the pass that a term begins with.
                for ids in [0..<50, 50..<100] {
                    try await server.script(PunctualServer.arm(ids, milliseconds: 50...500))
                    try await handler.waitFor(ids.map { "timer:\($0)" })
                }
            }
            #expect(handler.keys.count == 100)
            untouched(handler)
        }
    }

    @Test(
        "row 47: hints whose connection is closed right after it has subscribed are asked for ever more rarely: it says so once and sweeps"
    )
    func closedAtOnce() async throws {
        try await PunctualServer.with(.track) { server, configuration in
            let relay = try Relay(to: server)
            defer { relay.shutDown() }
            // The last of their channels.
            relay.end(behind: ":move_to\r\n")
            let opened = Mutex<[ContinuousClock.Instant]>([])
            relay.onRequests { _, bytes in
                if bytes.firstRange(of: ":move_to".utf8) != nil { opened.withLock { $0.append(.now) } }
            }
            var relayed = configuration
            relayed.redis = configuration.redis.map { $0.replacing(server.address, with: relay.address) }
            let handler = RunningHandler()
            try await handler.run(relayed) {
                try await server.script(PunctualServer.arm(0..<100, milliseconds: 200...1_500))
                try await handler.waitFor((0..<100).map { "timer:\($0)" })
                try await waitUntil("they are asked for the eighth time", within: .seconds(60)) {
                    let count = opened.withLock { $0.count }
                    return count >= 8 ? nil : "\(count) times"
                }
            }
            let times = opened.withLock { $0 }
            // Between them lie 25, 50, 100, 200, 400, 800 and 1 600 ms at the least.
            #expect(times[7] - times[0] > .seconds(3))
            let told = handler.log.lines("no hints: sweeping instead")
            #expect(told.count == 1 && told[0].contains("ends soon"), "\(told)")
            untouched(handler)
        }
    }
}
