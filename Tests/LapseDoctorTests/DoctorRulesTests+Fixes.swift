import Endpoints
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
}
