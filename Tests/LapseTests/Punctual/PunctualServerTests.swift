import Testing
import ThrowawayRedis
import Timing

@testable import Lapse

/// `--punctual` on servers that expire nothing by themselves (DEBUG SET-ACTIVE-EXPIRE 0): what is
/// announced was asked for.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct PunctualServerTests {
    @Test("row 93: what falls due while writes are paused, for longer than two looks, is announced when they go on")
    func pausedWrites() async throws {
        try await PunctualServer.with(.track) { server, configuration in
            let handler = RunningHandler()
            try await handler.run(configuration) {
                try await server.script(PunctualServer.arm(0..<100, milliseconds: 300...900))
                try await server.cli("CLIENT", "PAUSE", "6000", "WRITE")
                // Far less than a sweep would take.
                try await handler.waitFor((0..<100).map { "timer:\($0)" })
            }
            #expect(handler.keys.count == 100)
        }
    }

    @Test("row 92: each wanted key is asked for when its deadline has passed, and no other key is")
    func timersAmongManyOthers() async throws {
        try await PunctualServer.with(.track) { server, configuration in
            let begun = WallClock.milliseconds()
            let others = (0..<5_000).map { "SET other:\($0) 1 PX \($0 % 2 == 0 ? 100 : 3_600_000)" }
            try await server.script(others)
            let handler = RunningHandler()
            try await handler.run(configuration) {
                try await server.script(PunctualServer.arm(0..<500, milliseconds: 50...1_500))
                try await handler.waitFor((0..<500).map { "timer:\($0)" })
            }
            #expect(handler.keys.count == 500)
            let latest = WallClock.milliseconds() + 1_500
            // On a busy machine Redis itself may be quicker than the question.
            let known = handler.handled.compactMap(\.knownDeadline)
            #expect(!known.isEmpty && known.allSatisfy { (begun + 50...latest).contains($0.milliseconds) })
            let expired = try await server.cli("INFO", "stats").split(separator: "\r\n")
                .first { $0.hasPrefix("expired_keys:") }
            // Those of Lapse itself are deleted, not expired, while it leads.
            #expect(expired == "expired_keys:500")
        }
    }

    @Test("row 92: a TTL that is shortened, by any command that may")
    func shortened() async throws {
        try await PunctualServer.with(.track) { server, configuration in
            let handler = RunningHandler()
            let keys = [
                "timer:expire", "timer:pexpireat", "timer:getex", "timer:setex", "timer:renamed", "timer:copied",
            ]
            try await handler.run(configuration) {
                try await server.script(keys.map { "SET \($0) 1 EX 3600" })
                // Renewals: only the first of each second is asked about at once.
                for _ in 0..<20 { try await server.script(keys.map { "EXPIRE \($0) 3600" }) }
                let soon = WallClock.milliseconds() + 300
                try await server.script([
                    "PEXPIRE timer:expire 300", "GETEX timer:getex PX 300", "PSETEX timer:setex 300 1",
                    "PEXPIREAT timer:pexpireat \(soon)", "SET a 1 PX 300", "SET b 1 PX 300",
                    "RENAME a timer:renamed", "COPY b timer:copied REPLACE",
                ])
                try await handler.waitFor(keys)
            }
            #expect(handler.keys.sorted() == keys.sorted())
        }
    }

    @Test("row 92: a key that was deleted, or whose TTL was taken away, is not handled")
    func removed() async throws {
        try await PunctualServer.with(.track) { server, configuration in
            let handler = RunningHandler()
            try await handler.run(configuration) {
                try await server.script([
                    "SET timer:deleted 1 PX 500", "SET timer:kept 1 PX 500", "DEL timer:deleted", "PERSIST timer:kept",
                    "SET timer:again 1 PX 200",
                ])
                try await handler.waitFor(["timer:again"])
                try await server.script(["SET timer:again 1 PX 800"])
                try await waitUntil("it comes twice", within: .seconds(20)) {
                    handler.keys.count >= 2 ? nil : "\(handler.keys)"
                }
            }
            #expect(handler.keys == ["timer:again", "timer:again"])
            #expect(try await server.cli("EXISTS", "timer:kept") == "1")
        }
    }

    @Test("keys that were set before the term began, and overdue ones, come by the sweep")
    func seeded() async throws {
        try await PunctualServer.with(.track) { server, configuration in
            try await server.script((0..<3_000).map { "SET other:\($0) 1 EX 3600" })
            try await server.script(PunctualServer.arm(0..<1_000, milliseconds: 1...5_000))
            let handler = RunningHandler()
            try await handler.run(configuration) { try await handler.waitFor((0..<1_000).map { "timer:\($0)" }) }
            #expect(handler.keys.count == 1_000)
        }
    }

    @Test(
        "row 91: without class g it says so and sweeps; set adds it",
        arguments: [ProcessorConfiguration.NotificationPolicy.verify, .set])
    func classMissing(policy: ProcessorConfiguration.NotificationPolicy) async throws {
        try await PunctualServer.with(
            .track, notifications: "Ex", { $0.notifications = policy == .set ? .verify : policy }
        ) {
            server, configuration in
            var configuration = configuration
            if policy == .set {
                configuration.redis = ["redis://\(server.address)"]
                configuration.notifications = .set
            }
            let handler = RunningHandler()
            try await handler.run(configuration) {
                if policy == .set {
                    try await waitUntil("class g is set", within: .seconds(20)) {
                        let flags = try await server.cli("CONFIG", "GET", "notify-keyspace-events")
                        return flags.contains("g") ? nil : flags
                    }
                }
                try await server.script(PunctualServer.arm(0..<100, milliseconds: 50...500))
                try await handler.waitFor((0..<100).map { "timer:\($0)" })
            }
            #expect(handler.keys.count == 100)
            if policy == .verify {
                let told = try #require(handler.log.lines("notifications missing").first)
                #expect(told.contains("needs=Exg") && told.contains("CONFIG SET notify-keyspace-events xEg"))
                #expect(told.contains("redis-cli --user lapse -h "), "\(told)")
            }
        }
    }

    @Test("a key that is longer than an answer may be: it says that no sweep goes past it, and begins anew")
    func keyTooLong() async throws {
        try await PunctualServer.with(.sweep, notifications: "Ex") { server, configuration in
            let key = "'timer:' .. string.rep('x', 17825792)"
            try await server.cli("EVAL", "redis.call('SET', \(key), '1')", "0")
            let handler = RunningHandler()
            try await handler.run(configuration) {
                try await waitUntil("it says so", within: .seconds(60)) {
                    handler.log.lines("cannot sweep past a key").isEmpty ? "not yet" : nil
                }
                try await server.cli("EVAL", "redis.call('DEL', \(key))", "0")
                try await server.script(PunctualServer.arm(0..<100, milliseconds: 50...500))
                try await handler.waitFor((0..<100).map { "timer:\($0)" })
            }
            #expect(handler.log.lines("cannot sweep past a key").count == 1)
        }
    }

    @Test func sweepAlone() async throws {
        try await PunctualServer.with(.sweep, notifications: "Ex") { server, configuration in
            let handler = RunningHandler()
            try await handler.run(configuration) {
                try await server.script(PunctualServer.arm(0..<500, milliseconds: 50...500))
                try await handler.waitFor((0..<500).map { "timer:\($0)" })
            }
            #expect(handler.keys.count == 500)
            #expect(handler.log.lines("notifications missing").isEmpty)
        }
    }
}
