import LeaderElection
import Testing

@testable import LapseDoctor

/// What is judged where another store than Redis votes on the lease.
extension DoctorRulesTests {
    private var electedElsewhere: DeploymentFacts {
        var facts = DoctorExamples.cluster
        facts.registers = []
        facts.storeRegisters = [.init(label: "10.0.1.1:8500/lapse/default")]
        return facts
    }

    @Test("a register of the store that does not answer, or refuses, breaks the lease and is named")
    func aStoreThatCannotVote() {
        var facts = electedElsewhere
        #expect(Checkup.findings(facts).isEmpty)
        facts.storeRegisters = [
            .init(label: "one", error: .unreachable("10.0.1.1:8500: cannot connect")),
            .init(label: "two", error: .denied("no such token")), .init(label: "three", error: .timedOut),
            .init(label: "four"),
        ]
        let found = findings(facts, "store")
        #expect(found.map(\.severity) == [.breaks, .breaks, .breaks])
        #expect(found.map(\.title).filter { $0 == "the store refuses Lapse" }.count == 1)
        #expect(found[0].detail.hasPrefix("one: unreachable: 10.0.1.1:8500: cannot connect."))
        #expect(found[1].detail.hasPrefix("two: refused: no such token."))
        #expect(found[2].detail.hasPrefix("three: no answer in time."))
        #expect(DoctorReport(facts).exitCode == 1)
    }

    @Test("where no lock is, none is evicted, and no renewal waits for a slow server")
    func locksThatAreNotHere() {
        var facts = electedElsewhere
        facts.nodes[0].info["maxmemory"] = "1000000"
        facts.nodes[0].info["maxmemory_policy"] = "allkeys-lru"
        facts.nodes[1].contact = .answered(after: .seconds(1))
        let found = findings(facts, "eviction")
        #expect(found.map(\.severity) == [.warns] && !found[0].detail.contains("lease"))
        #expect(findings(facts, "reachability").isEmpty)
        facts.storeRegisters = nil
        #expect(findings(facts, "reachability").map(\.severity) == [.warns])
    }
}
