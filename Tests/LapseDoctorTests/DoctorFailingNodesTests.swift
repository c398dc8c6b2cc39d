import Endpoints
import Lapse
import RedisClient
import Testing

@testable import LapseDoctor

/// Nodes that the cluster calls failing.
@Suite struct DoctorFailingNodesTests {
    private func spoilt(_ spoil: (inout DeploymentFacts) -> Void) -> [DoctorFinding] {
        var facts = DoctorExamples.cluster
        spoil(&facts)
        return Checkup.findings(facts).filter { ["slots", "reachability"].contains($0.check) }
    }

    private func kill(_ node: inout NodeFacts) {
        node.contact = .unreachable("cannot connect")
        node.isFailing = true
    }

    @Test func aMasterThatWasReplacedIsANote() {
        let found = spoilt { facts in
            kill(&facts.nodes[1])
            facts.nodes[1].slotCount = 0
            facts.nodes[4].role = .master
            facts.nodes[4].slotCount = 5461
        }
        #expect(found.map(\.severity) == [.notes])
        #expect(
            found.first?.fix
                == "start it again, or make all others forget it: "
                + "redis-cli --cluster call 10.0.0.1:1 CLUSTER FORGET 10.0.0.2:2")
    }

    /// The keys of its slots would be gone.
    @Test func theOwnerOfSlotsIsNeverToBeRemoved() {
        let found = spoilt { kill(&$0.nodes[1]) }
        #expect(found.contains { $0.check == "slots" && $0.severity == .breaks })
        #expect(found.allSatisfy { !($0.fix ?? "").contains("FORGET") && !($0.fix ?? "").contains("del-node") })
        #expect(found.contains { $0.fix?.hasSuffix("redis-cli -h 10.0.0.5 -p 5 CLUSTER FAILOVER TAKEOVER") == true })
    }

    @Test func aDeadReplicaOfADeadMasterMayBeTheLastCopy() {
        let found = spoilt { facts in
            kill(&facts.nodes[1])
            kill(&facts.nodes[4])
        }
        #expect(found.allSatisfy { !($0.fix ?? "").contains("FORGET") })
        let alone = spoilt { kill(&$0.nodes[4]) }
        #expect(alone.contains { $0.fix?.contains("FORGET") == true }, "its master lives")
    }
}
