import LeaderElection
import Testing
import ThrowawayStores

@testable import LeaderElectionConsul

/// Row 21: the session is destroyed, a check turns critical, a key is deleted. In each case the lock is
/// free at once for Consul, while its holder may believe in it until its own deadline.
@Suite(.serialized, .timeLimit(.minutes(10)), .enabled(if: ThrowawayConsul.isInstalled))
struct LostSessionTests {
    /// Long enough for a rival to take over in it if nothing but the delay keeps it out.
    private let lease = Duration.seconds(6)

    private func keys(_ name: String) -> ConsulKeys { ConsulKeys(prefix: "lapse", name: name) }

    private func holder(_ name: String, _ consul: ConsulOperator) async throws -> String {
        try #require(try await consul.key(keys(name).lock)?.session)
    }

    @Test func aDestroyedSessionEndsTheTermAndTheDelayIsWaitedFor() async throws {
        try await StoreStage.with(ConsulUnderTest(), shared: true) { stage in
            let name = StoreStage.name()
            try await stage.withRivals(name, lease: lease) { rivals, _, consul in
                try await consul.destroySession(try await holder(name, consul))
                try await eventually("somebody leads again") { rivals.tokens.count == 2 }
                #expect(rivals.end(of: "a") == .lost, "told by Consul, not by the clock")
                #expect(rivals.story.prefix(2) == ["a", "-a"])
                let waited = ["a", "b"].flatMap { rivals.obstacles(of: $0) }
                #expect(waited.contains { $0.contains("lock delay") })
                #expect(rivals.tokens[1] > rivals.tokens[0])
            }
        }
    }

    @Test func aCriticalCheckEndsTheTermAndTheDelayIsWaitedFor() async throws {
        try await StoreStage.with(ConsulUnderTest()) { stage in
            let name = StoreStage.name()
            let server = try #require(stage.server as? ConsulStoreServer)
            try await ConsulOperator(server.consul).register(check: "disk")
            let configuration = ConsulConfiguration(
                shortestSession: .milliseconds(1500), checks: ["serfHealth", "disk"])
            try await stage.withRivals(name, lease: lease, configuration: configuration) { rivals, _, consul in
                #expect(rivals.tokens.count == 1)
                try await consul.fail(check: "disk")
                try await eventually("a's term ends") { rivals.end(of: "a") == .lost }
                // As long as the check is critical no session can be made with it: no replica leads.
                #expect(rivals.tokens.count == 1)
                try await consul.pass(check: "disk")
                try await eventually("somebody leads again") { rivals.tokens.count == 2 }
                #expect(rivals.tokens[1] > rivals.tokens[0])
            }
        }
    }

    /// A leader that cannot be told believes in its lease to the end; the delay keeps the rival out until
    /// then.
    @Test func theDelayOutlastsALeaderThatDoesNotHear() async throws {
        try await StoreStage.with(ConsulUnderTest(), shared: true) { stage in
            let name = StoreStage.name()
            try await stage.withRivals(name, lease: lease) { rivals, proxy, consul in
                let session = try await holder(name, consul)
                try await proxy.set(.blackHole)
                try await consul.destroySession(session)
                try await eventually("b leads") { rivals.leads("b") }
                #expect(rivals.story == ["a", "-a", "b"])
                #expect(rivals.end(of: "a") == .renewTimeout)
                #expect(rivals.obstacles(of: "b").contains { $0.contains("lock delay") })
                #expect(rivals.tokens[1] > rivals.tokens[0])
                try await proxy.set(.pass)
            }
        }
    }

    /// What the default is for: without a delay the rival leads while the old leader still believes.
    @Test func withoutADelayTwoLead() async throws {
        try await StoreStage.with(ConsulUnderTest(), shared: true) { stage in
            let name = StoreStage.name()
            let configuration = ConsulConfiguration(lockDelay: .zero, shortestSession: .milliseconds(1500))
            try await stage.withRivals(name, lease: lease, configuration: configuration) { rivals, proxy, consul in
                let session = try await holder(name, consul)
                try await proxy.set(.blackHole)
                try await consul.destroySession(session)
                try await eventually("b leads") { rivals.leads("b") }
                #expect(rivals.story == ["a", "b"])
                #expect(rivals.tokens[1] > rivals.tokens[0], "the fence holds all the same")
                try await proxy.set(.pass)
            }
        }
    }

    @Test(arguments: [true, false])
    func aDeletedKeyEndsTheTerm(theLock: Bool) async throws {
        try await StoreStage.with(ConsulUnderTest(), shared: true) { stage in
            let name = StoreStage.name()
            let server = try #require(stage.server as? ConsulStoreServer)
            try await stage.withRivals(name, lease: lease) { rivals, _, _ in
                try await server.consul.command("kv delete", [theLock ? keys(name).lock : keys(name).term])
                try await eventually("somebody leads again") { rivals.tokens.count == 2 }
                #expect(rivals.end(of: "a") == .lost)
                #expect(rivals.story.prefix(2) == ["a", "-a"])
                #expect(rivals.tokens[1] > rivals.tokens[0])
            }
        }
    }

    /// Consul knows no lock delay for a deleted key: the other key keeps the rival out.
    @Test(arguments: [true, false])
    func aDeletedKeyKeepsRivalsOutWhileItsLeaderDoesNotHear(theLock: Bool) async throws {
        try await StoreStage.with(ConsulUnderTest(), shared: true) { stage in
            let name = StoreStage.name()
            let server = try #require(stage.server as? ConsulStoreServer)
            try await stage.withRivals(name, lease: lease) { rivals, proxy, _ in
                try await proxy.set(.blackHole)
                try await server.consul.command("kv delete", [theLock ? keys(name).lock : keys(name).term])
                try await eventually("b leads") { rivals.leads("b") }
                #expect(rivals.story == ["a", "-a", "b"])
                #expect(rivals.tokens[1] > rivals.tokens[0])
                if theLock { #expect(rivals.obstacles(of: "b").contains { $0.contains("was deleted") }) }
                try await proxy.set(.pass)
            }
        }
    }

    /// Both keys deleted, and the session destroyed at that: nothing is left to keep a rival out, but the
    /// token grows.
    @Test func theTokenGrowsThoughEverythingIsDeleted() async throws {
        try await StoreStage.with(ConsulUnderTest(), shared: true) { stage in
            let name = StoreStage.name()
            let server = try #require(stage.server as? ConsulStoreServer)
            let register = try await stage.register(name)
            var last: UInt64 = 0
            for round in 0..<3 {
                let vote = try await stage.take(register, stage.claim(name, "a\(round)"))
                #expect(vote.counter > last)
                last = vote.counter
                let consul = ConsulOperator(server.consul)
                let session = try await holder(name, consul)
                try await server.consul.command("kv delete", ["-recurse", keys(name).folder])
                try await consul.destroySession(session)
            }
        }
    }
}
