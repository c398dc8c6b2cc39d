import LapseDoctor
import Logging
import RedisClient
import Testing
import ThrowawayRedis

@testable import Lapse

/// Canaries on servers that expire nothing by themselves, with the rights that `doctor --acl` prints.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct CanaryServerTests {
    /// A processor whose log is taken from debug on.
    private final class Run: Sendable {
        let log = CapturedLog()
        let processor: ExpirationProcessor

        init(_ configuration: ProcessorConfiguration) {
            var logger = log.logger
            logger.logLevel = .debug
            processor = ExpirationProcessor(configuration: configuration, logger: logger) { expiration, _ in
                Issue.record("\(expiration.key) was handled")
            }
        }

        func wait(_ message: String, _ count: Int = 1, node: String = "") async throws {
            try await waitUntil("\(message) \(count) times \(node)", within: .seconds(30)) {
                let lines = self.log.lines(message).filter { $0.contains(node) }
                return lines.count >= count ? nil : "\(lines.count)"
            }
        }
    }

    /// - Parameter patience: of those that come back it must be longer than any delay of a busy machine.
    private func withServer(
        _ punctual: ProcessorConfiguration.Punctual, patience: Duration = .seconds(30),
        _ body: @escaping @Sendable (ThrowawayServer, Run) async throws -> Void
    ) async throws {
        var rights = AccessRights(user: nil, name: "canary", mode: .standalone)
        rights.punctual = punctual
        rights.wanted = ["timer:*"]
        var options = ServerOptions()
        options.users = ["user " + rights.line.dropFirst("ACL SETUSER ".count)]
        options.notifications = "Exg"
        options.extra = ["enable-debug-command yes"]
        let server = try await ThrowawayServer.start(options)
        var configuration = ProcessorConfiguration(
            redis: ["redis://lapse:\(AccessRights.passwordPlace)@\(server.address)"], name: "canary",
            match: ["timer:*"])
        configuration.leaseTTL = .seconds(2)
        configuration.punctual = punctual
        configuration.canary = .seconds(1)
        configuration.canaryPatience = patience
        let run = Run(configuration)
        do {
            try await server.cli("DEBUG", "SET-ACTIVE-EXPIRE", "0")
            try await run.processor.run { try await body(server, run) }
        } catch {
            await server.shutDown()
            throw error
        }
        await server.shutDown()
    }

    @Test(
        "it comes back, is handled by none, and is the only thing in the account",
        arguments: [ProcessorConfiguration.Punctual.off, .track])
    func comesBack(_ punctual: ProcessorConfiguration.Punctual) async throws {
        try await withServer(punctual) { server, run in
            try await run.wait("canary came back", 2)
            #expect(run.processor.readiness().isEmpty)
            try await waitUntil("each is in the account as Lapse's own", within: .seconds(10)) {
                let account = run.processor.status?.nodes.first?.account ?? NodeAccount()
                let isClosed = account.ignored >= 2 && account.announced == account.ignored && account.imbalance == 0
                return isClosed ? nil : "\(account)"
            }
            #expect(run.log.lines("gap").isEmpty && run.log.lines("canary missing").isEmpty)
            #expect(try await server.cli("ACL", "LOG") == "", "the printed rights are enough")
        }
    }

    @Test(
        "what is announced no more is missed until one comes back; one that may not be set is said once, and the feed goes on"
    )
    func missingAndRefused() async throws {
        try await withServer(.off, patience: .milliseconds(800)) { server, run in
            try await run.wait("canary came back")
            try await server.cli("CONFIG", "SET", "notify-keyspace-events", "")
            try await run.wait("canary missing")
            #expect(run.processor.readiness().contains { $0.contains("two canaries in a row") })
            try await server.cli("CONFIG", "SET", "notify-keyspace-events", "Ex")
            try await run.wait("canary is back")
            try await waitUntil("it is ready", within: .seconds(20)) {
                run.processor.readiness().first { $0.contains("canaries") }
            }

            try await server.cli("CONFIG", "SET", "maxmemory", "1")
            try await run.wait("canary cannot be set")
            try await server.cli("CONFIG", "SET", "maxmemory", "0")
            let before = run.log.lines("canary came back").count
            try await run.wait("canary came back", before + 1)
            #expect(run.log.lines("canary cannot be set").count == 1)
            #expect(run.log.lines("subscription lost").isEmpty)
        }
    }

    @Test("row 93: a canary follows the slots of each master through a failover and a migration")
    func cluster() async throws {
        var options = ClusterOptions()
        options.replicasPerMaster = 1
        options.server.notifications = "Exg"
        options.server.extra += ["enable-debug-command yes"]
        let cluster = try await ThrowawayCluster.start(options)
        var configuration = ProcessorConfiguration(
            redis: cluster.urls.split(separator: ",").map(String.init), name: "canary")
        configuration.leaseTTL = .seconds(3)
        configuration.canary = .seconds(1)
        let run = Run(configuration)
        do {
            try await run.processor.run {
                let masters = try await cluster.masters()
                for master in masters { try await run.wait("canary came back", node: "\(master.address)") }
                let new = try #require(try await cluster.replicas(of: masters[0]).first)
                try await cluster.failover(new)
                try await run.wait("canary came back", node: "\(new.address)")
                // The slot that its canaries lie in: they follow to another one.
                let slots = try await cluster.slots(of: masters[1])
                let slot = try #require(
                    (0..<1_000).lazy.map { KeySlot.of("lapse-\($0)") }.first { slot in
                        slots.contains { $0.contains(slot) }
                    })
                try await cluster.moveSlots(slot...slot, from: masters[1], to: masters[2])
                let before = run.log.lines("canary came back").filter { $0.contains("\(masters[1].address)") }.count
                try await run.wait("canary came back", before + 2, node: "\(masters[1].address)")
            }
        } catch {
            await cluster.shutDown()
            throw error
        }
        await cluster.shutDown()
    }
}
