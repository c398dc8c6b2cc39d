import LapseDoctor
import RedisClient
import Synchronization
import Testing
import ThrowawayRedis

@testable import Lapse

/// Companions on a real server, as the user that `lapse doctor --acl` prints.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct CompanionServerTests {
    private static let rule = "session:* => session-data:*"

    private func withServer(
        database: Int = 0, _ body: @Sendable (ThrowawayServer, ProcessorConfiguration) async throws -> Void
    ) async throws {
        var rights = AccessRights(user: nil, name: "companions", mode: .standalone)
        rights.companions = try CompanionRules([Self.rule])
        rights.selectsDatabase = database != 0
        var options = ServerOptions()
        options.users = ["user " + rights.line.dropFirst("ACL SETUSER ".count)]
        let server = try await ThrowawayServer.start(options)
        var configuration = ProcessorConfiguration(
            redis: ["redis://lapse:\(AccessRights.passwordPlace)@\(server.address)/\(database)"], name: "companions",
            match: ["session:*"])
        configuration.leaseTTL = .seconds(2)
        configuration.companions = [Self.rule]
        do {
            try await body(server, configuration)
            #expect(try await server.cli("ACL", "LOG") == "", "the printed rights are enough")
        } catch {
            await server.shutDown()
            throw error
        }
        await server.shutDown()
    }

    /// As the recipe says: first the companion, then the timer.
    private func arm(
        _ server: ThrowawayServer, _ id: String, value: String, milliseconds: Int = 100, database: Int = 0
    ) async throws {
        try await server.cli("-n", "\(database)", "SET", "session-data:\(id)", value)
        try await server.cli("-n", "\(database)", "SET", "session:\(id)", "1", "PX", "\(milliseconds)")
    }

    private func waitUntilGone(_ key: String, _ server: ThrowawayServer, database: Int = 0) async throws {
        try await waitUntil("\(key) is deleted", within: .seconds(20)) {
            try await server.cli("-n", "\(database)", "EXISTS", key) == "0" ? nil : "it exists"
        }
    }

    @Test(arguments: [0, 3])
    func theValueIsDeliveredAndTheCompanionDeleted(database: Int) async throws {
        try await withServer(database: database) { server, configuration in
            let handler = RunningHandler()
            try await handler.run(configuration) {
                try await arm(server, "1", value: "cart", database: database)
                try await handler.waitFor(["session:1"])
                try await waitUntilGone("session-data:1", server, database: database)
            }
            #expect(handler.handled.map(\.text) == ["cart"])
            #expect(handler.handled.map(\.origin) == [.live])
        }
    }

    @Test(
        "row 57: a companion of 65 MiB is not fetched: told once, handled without its value, and not again by a sweep")
    func aLargeCompanion() async throws {
        try await withServer { server, configuration in
            var configuration = configuration
            configuration.reconcileInterval = .seconds(1)
            let handler = RunningHandler()
            try await handler.run(configuration) {
                try await server.cli("SETRANGE", "session-data:large", "\(65 << 20)", "x")
                try await server.cli("SET", "session:large", "1", "PX", "100")
                try await handler.waitFor(["session:large"])
                // Where sweeps find these, they have found the large one too.
                for id in ["first", "second"] {
                    try await server.cli("SET", "session-data:\(id)", "cart")
                    try await waitUntilGone("session-data:\(id)", server)
                }
            }
            #expect(handler.keys == ["session:large", "session:first", "session:second"])
            #expect(handler.handled.first?.value == nil)
            let told = try #require(handler.log.lines("companion too large").first)
            #expect(told.contains("companion=session-data:large") && told.contains("bytes=\((65 << 20) + 1)"))
            #expect(try await server.cli("STRLEN", "session-data:large") == "\((65 << 20) + 1)")
        }
    }

    @Test("row 115: two quick expirations and one companion: the first has the later value, the second has none")
    func twoQuickExpirations() async throws {
        try await withServer { server, configuration in
            var configuration = configuration
            configuration.concurrency = 1
            let handler = RunningHandler()
            let isBlocked = Mutex(true)
            try await handler.run(configuration) { expiration in
                guard "\(expiration.key)" == "session:block" else { return }
                try await waitUntil("it may end", within: .seconds(20)) { isBlocked.withLock { $0 } ? "not yet" : nil }
            } _: {
                try await server.cli("SET", "session:block", "1", "PX", "20")
                try await handler.waitFor(["session:block"])
                for value in ["first", "second"] {
                    try await arm(server, "twice", value: value, milliseconds: 20)
                    try await waitUntilGone("session:twice", server)
                }
                isBlocked.withLock { $0 = false }
                try await waitUntil("both are handled", within: .seconds(20)) {
                    handler.keys.count == 3 ? nil : "\(handler.keys)"
                }
                try await waitUntilGone("session-data:twice", server)
            }
            #expect(handler.keys == ["session:block", "session:twice", "session:twice"])
            #expect(handler.handled.map(\.text) == [nil, "second", nil])
        }
    }

    @Test func withoutACompanionItIsHandledAllTheSame() async throws {
        try await withServer { server, configuration in
            let handler = RunningHandler()
            try await handler.run(configuration) {
                try await server.cli("SET", "session:bare", "1", "PX", "100")
                try await server.cli("RPUSH", "session-data:list", "1")
                try await server.cli("SET", "session:list", "1", "PX", "100")
                try await handler.waitFor(["session:bare", "session:list"])
            }
            #expect(handler.handled.allSatisfy { $0.value == nil })
            #expect(try await server.cli("EXISTS", "session-data:list") == "1", "what is no string is left alone")
        }
    }

    @Test func aTimerThatIsBackKeepsTheCompanion() async throws {
        try await withServer { server, configuration in
            var configuration = configuration
            configuration.concurrency = 1
            let handler = RunningHandler()
            try await handler.run(configuration) { expiration in
                guard "\(expiration.key)" == "session:back" else { return }
                try await server.cli("SET", "session:back", "1", "PX", "600000")
            } _: {
                try await arm(server, "back", value: "cart")
                try await handler.waitFor(["session:back"])
                // One lane: when the second one is settled, so was the first.
                try await arm(server, "next", value: "cart")
                try await waitUntilGone("session-data:next", server)
                #expect(try await server.cli("GET", "session-data:back") == "cart")
            }
        }
    }

    @Test func aRewrittenCompanionIsKeptAndHandledByReconciliation() async throws {
        try await withServer { server, configuration in
            var configuration = configuration
            configuration.reconcileInterval = .seconds(1)
            let handler = RunningHandler()
            try await handler.run(configuration) { expiration in
                // A writer that is about to set the timer again, and dies.
                if expiration.text == "old" { try await server.cli("SET", "session-data:again", "new") }
            } _: {
                try await arm(server, "again", value: "old")
                try await waitUntilGone("session-data:again", server)
            }
            #expect(handler.handled.map(\.text) == ["old", "new"])
            #expect(handler.handled.map(\.origin) == [.live, .reconcile])
        }
    }

    /// `work` begins when `session:bad`, whose companion says `poison`, is a dead letter.
    private func withADeadLetter(
        reconcileInterval: Duration = .seconds(300),
        _ work: @escaping @Sendable (ThrowawayServer, RunningHandler) async throws -> Void
    ) async throws -> RunningHandler {
        let handler = RunningHandler()
        try await withServer { server, configuration in
            var configuration = configuration
            configuration.concurrency = 1
            configuration.retries = 0
            configuration.reconcileInterval = reconcileInterval
            try await handler.run(configuration) { expiration in
                if expiration.text == "poison" { throw LapseError.configuration(nil, "cannot be handled") }
            } _: {
                try await arm(server, "bad", value: "poison")
                try await handler.waitFor(["session:bad"])
                try await work(server, handler)
            }
        }
        return handler
    }

    @Test func aFailureKeepsTheCompanion() async throws {
        _ = try await withADeadLetter { server, _ in
            try await arm(server, "good", value: "cart")
            try await waitUntilGone("session-data:good", server)
            #expect(try await server.cli("GET", "session-data:bad") == "poison")
        }
    }

    @Test func whatIsADeadLetterIsNotHandedOutByEverySweep() async throws {
        let handler = try await withADeadLetter(reconcileInterval: .seconds(1)) { server, handler in
            // Where a sweep finds these, it has found the poisoned one too.
            for id in ["first", "second"] {
                try await server.cli("SET", "session-data:\(id)", "cart")
                try await waitUntilGone("session-data:\(id)", server)
            }
            #expect(handler.keys == ["session:bad", "session:first", "session:second"])
            #expect(try await server.cli("GET", "session-data:bad") == "poison")
            try await server.cli("SET", "session-data:bad", "mended")
            try await waitUntilGone("session-data:bad", server)
        }
        #expect(handler.handled.map(\.text) == ["poison", "cart", "cart", "mended"])
    }

    @Test("row 37: what the node counted and no replica heard is lost, and its companions are handled")
    func nobodyHeard() async throws {
        try await withServer { server, configuration in
            let handler = RunningHandler()
            let ids = (0..<50).map { "\($0)" }
            try await handler.run(configuration) {
                // The expirations of this time are counted and not announced.
                try await server.cli("CONFIG", "SET", "notify-keyspace-events", "")
                try await server.script(
                    ids.flatMap { ["SET session-data:\($0) value-\($0)", "SET session:\($0) 1 PX 100"] })
                for id in ids { try await waitUntilGone("session:\(id)", server) }
                try await server.cli("CONFIG", "SET", "notify-keyspace-events", "Ex")
                try await handler.waitFor(ids.map { "session:\($0)" })
                for id in ids { try await waitUntilGone("session-data:\(id)", server) }
            }
            #expect(handler.handled.count == ids.count, "each once")
            #expect(Set(handler.handled.compactMap(\.text)) == Set(ids.map { "value-\($0)" }))
            #expect(handler.handled.allSatisfy { $0.origin == .reconcile })
        }
    }

    @Test("row 43: a server restarts from its snapshot, and forgets the keys that expired meanwhile")
    func restartFromASnapshot() async throws {
        try await withServer { server, configuration in
            let handler = RunningHandler()
            let ids = (0..<50).map { "\($0)" }
            try await handler.run(configuration) {
                try await server.script(
                    ids.flatMap { ["SET session-data:\($0) value-\($0)", "SET session:\($0) 1 PX 1500"] } + ["SAVE"])
                await server.kill()
                let over = ContinuousClock.now + .seconds(2)
                try await waitUntil("their time is over", within: .seconds(10)) {
                    ContinuousClock.now > over ? nil : "not yet"
                }
                try await server.start()
                try await handler.waitFor(ids.map { "session:\($0)" })
                for id in ids { try await waitUntilGone("session-data:\(id)", server) }
            }
            #expect(handler.handled.count == ids.count, "each once")
            #expect(Set(handler.handled.compactMap(\.text)) == Set(ids.map { "value-\($0)" }))
            #expect(handler.handled.allSatisfy { $0.origin == .reconcile })
        }
    }
}
