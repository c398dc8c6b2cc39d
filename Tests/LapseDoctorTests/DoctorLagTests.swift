import Lapse
import RedisClient
import Testing

@testable import LapseDoctor

/// What the doctor says of servers that are late, driven by values.
struct DoctorLagTests {
    private func findings(_ facts: DeploymentFacts, _ check: String) -> [DoctorFinding] {
        Checkup.findings(facts).of(check)
    }

    @Test(arguments: [(400, 1, 10, Duration.seconds(1)), (10_000, 1, 10, .seconds(25)), (13_000, 10, 10, .seconds(10))])
    func lagFollowsTheFormula(_ keys: Int, _ effort: Int, _ hz: Int, _ lag: Duration) {
        #expect(PredictedLag.median(volatileKeys: keys, hz: hz, effort: effort) == lag)
    }

    @Test func lagIsToldWhereItIsLong() {
        var facts = DoctorExamples.cluster
        facts.nodes[0].info["db0"] = "keys=100000,expires=2000,avg_ttl=5"
        facts.nodes[1].info["db3"] = "keys=100000,expires=10000,avg_ttl=5"
        facts.nodes[3].info["db0"] = "keys=100000,expires=100000,avg_ttl=5"
        let found = findings(facts, "lag")
        #expect(found.map(\.severity) == [.warns, .notes])
        #expect(found.map { $0.node?.port } == [2, 1])
        #expect(found.allSatisfy { $0.fix?.hasSuffix("CONFIG SET active-expire-effort 10") == true }, "\(found)")
    }

    @Test func lagThatNothingOfTheServerMends() {
        var facts = DoctorExamples.standalone
        facts.nodes[0].info["db0"] = "keys=100000,expires=100000,avg_ttl=5"
        facts.nodes[0].set("active-expire-effort", "10")
        #expect(findings(facts, "lag").map(\.fix) == ["lapse run --punctual track"])
        facts.rights.punctual = .track
        #expect(findings(facts, "lag").isEmpty)
    }

    @Test(arguments: [
        ("redis_version", "6.0.0", true), ("redis_version", "8.8.1", true), ("redis_version", "8.10.0", false),
        ("redis_version", "nonsense", false), ("valkey_version", "8.0.1", true), ("valkey_version", "9.1.2", false),
    ])
    func theFastExpireCycleThatNeverRuns(_ name: String, _ version: String, _ isAffected: Bool) {
        var facts = DoctorExamples.cluster
        facts.nodes[0].info[name] = version
        #expect(findings(facts, "expire-cycle").isEmpty, "nothing piles up")
        for index in facts.nodes.indices {
            facts.nodes[index].info["expired_stale_perc"] = index == 1 ? "9.99" : "12.50"
        }
        facts.nodes.remove(at: 2)
        let found = findings(facts, "expire-cycle")
        #expect(found.map { $0.node?.port } == (isAffected ? [1] : []), "no replica, and not where few are overdue")
        guard let finding = found.first else { return }
        #expect(finding.severity == .notes && finding.detail.contains(version))
        #expect(finding.fix == "redis-cli -h 10.0.0.1 -p 1 CONFIG SET hz 100")
        facts.nodes[0].info["configured_hz"] = "100"
        #expect(findings(facts, "expire-cycle").map(\.fix) == ["lapse run --punctual track"])
    }

    @Test func sweepsWhereTheyMayStarveTheServer() {
        var facts = DoctorExamples.cluster
        facts.nodes[0].info["redis_version"] = "8.2.2"
        facts.nodes[1].info["redis_version"] = "8.2.2"
        facts.nodes[1].info["valkey_version"] = "9.1.2"
        for punctual in [ProcessorConfiguration.Punctual.off, .track] {
            facts.rights.punctual = punctual
            #expect(findings(facts, "sweep").isEmpty)
        }
        facts.rights.punctual = .sweep
        let found = findings(facts, "sweep")
        #expect(found.map { $0.node?.port } == [1] && found[0].fix == "lapse run --punctual track")
    }

    @Test func largeValuesAreFreedWhileClientsWait() {
        var facts = DoctorExamples.cluster
        facts.nodes[1].set("lazyfree-lazy-expire", "no")
        facts.nodes[2].set("lazyfree-lazy-expire", "yes")
        #expect(findings(facts, "lazyfree").isEmpty, "nothing is nudged")
        facts.rights.punctual = .track
        let found = findings(facts, "lazyfree")
        #expect(found.map { $0.node?.port } == [2])
        #expect(found.first?.fix == "redis-cli -h 10.0.0.2 -p 2 CONFIG SET lazyfree-lazy-expire yes")
    }
}
