import Endpoints
import RedisClient
import Testing

@testable import LapseDoctor

/// Fixes are commands that an operator can paste.
extension DoctorRulesTests {
    @Test func aFlagThatAShellWouldReadIsQuoted() throws {
        var facts = DoctorExamples.cluster
        facts.login.usesTLS = true
        facts.nodes[0].set("notify-keyspace-events", "K$")
        let fix = findings(facts, "notifications").first?.fix
        #expect(fix == "redis-cli --tls -h 10.0.0.1 -p 1 CONFIG SET notify-keyspace-events 'K$Ex'")
    }

    @Test("a fix logs in as Lapse does, and says where the password goes and what lasts")
    func fixesForAProtectedServer() throws {
        var facts = DoctorExamples.cluster
        facts.login.user = "svc"
        facts.login.usesTLS = true
        facts.login.files.authority = "/etc/my ca.pem"
        facts.nodes[0].set("notify-keyspace-events", "")
        let report = DoctorReport(facts)
        let login = "redis-cli --user svc --tls --cacert '/etc/my ca.pem' -h 10.0.0.1 -p 1"
        let fix = "\(login) CONFIG SET notify-keyspace-events Ex"
        #expect(report.findings.first { $0.check == "notifications" }?.fix == fix)
        let text = report.text(width: 500)
        #expect(text.contains("REDISCLI_AUTH") && text.contains("CONFIG SET lasts until the server restarts"))
        #expect(!DoctorReport(DoctorExamples.cluster).text().contains("REDISCLI_AUTH"))
    }

    @Test("a shell can read each fix that is a command: no remark stands behind it")
    func fixesAreCommands() {
        var facts = DoctorExamples.cluster
        facts.nodes[0].settings = .forbidden("NOPERM no 'config|get'")
        facts.nodes[1].info["maxmemory"] = "1000000"
        facts.nodes[1].info["used_memory"] = "990000"
        let fixes = (findings(facts, "notifications") + findings(facts, "memory")).compactMap(\.fix)
        #expect(fixes.count == 2)
        for fix in fixes { #expect(fix.hasPrefix("redis-cli ") && !fix.contains(" ("), "\(fix)") }
    }

    /// Three masters of one machine, and a replica of the first on another.
    private static var oneMachine: DeploymentFacts {
        let masters = (1...3).map { port in
            var node = NodeFacts(NodeAddress(host: "10.0.0.1", port: port), .master)
            node.slotCount = 5461
            return node
        }
        var replica = DoctorExamples.node(4, .replica)
        replica.masterID = masters[0].id
        return DeploymentFacts(
            mode: .cluster, nodes: masters + [replica],
            registers: masters.map { .init(key: "lock", node: $0.address) })
    }

    @Test("each redis-cli of a fix logs in as Lapse does, those for a whole cluster too")
    func everyCommandLogsIn() {
        let spoils: [(check: String, command: String, spoil: (inout DeploymentFacts) -> Void)] = [
            ("slots", "--cluster fix 10.0.0.1:1", { $0.uncoveredSlots = 1 }),
            (
                "slots", "--cluster call 10.0.0.1:1 CLUSTER FORGET 10.0.0.6:6",
                {
                    $0.nodes[5].contact = .unreachable("cannot connect")
                    $0.nodes[5].isFailing = true
                }
            ),
            (
                "registers", "--cluster fix 10.0.0.1:1",
                {
                    $0.registers[1].node = nil
                    $0.registers[2].node = nil
                }
            ),
            ("registers", "--cluster rebalance 10.0.0.1:1", { $0.registers[1].node = DoctorExamples.address(1) }),
            ("registers", "-h 10.0.0.4 -p 4 CLUSTER FAILOVER", { $0 = Self.oneMachine }),
            (
                "replicas",
                "--cluster add-node NEW-HOST:PORT 10.0.0.3:3 --cluster-slave --cluster-master-id 10.0.0.3:3",
                { $0.nodes.removeLast() }
            ),
        ]
        for (check, command, spoil) in spoils {
            var facts = DoctorExamples.cluster
            spoil(&facts)
            facts.login.user = "svc"
            facts.login.usesTLS = true
            facts.login.files.authority = "/etc/ca.pem"
            let report = DoctorReport(facts)
            let login = "redis-cli --user svc --tls --cacert /etc/ca.pem "
            let fixes = report.findings.of(check).compactMap(\.fix)
            #expect(fixes.contains { $0.hasSuffix(login + command) }, "\(check): \(fixes)")
            for fix in report.findings.compactMap(\.fix) {
                #expect(fix.ranges(of: "redis-cli ").count == fix.ranges(of: login).count, "\(fix)")
            }
            #expect(report.text(width: 500).contains("REDISCLI_AUTH"), "\(check)")
        }
    }
}
