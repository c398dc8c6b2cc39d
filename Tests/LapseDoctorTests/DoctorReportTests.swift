import Foundation
import Lapse
import Testing

@testable import LapseDoctor

/// What the report looks like.
struct DoctorReportTests {
    private var spoilt: DoctorReport {
        var facts = DoctorExamples.cluster
        for index in [1, 4] { facts.nodes[index].set("notify-keyspace-events", "") }
        for index in 0..<3 { facts.nodes[index].set("appendonly", "no") }
        return DoctorReport(facts)
    }

    @Test func theTableIsAlignedAndTheWorstComesFirst() throws {
        let lines = spoilt.text(width: 80).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        #expect(lines[0] == "NODE        ROLE     SLOTS  NOTIFY  LAG     FINDINGS")
        #expect(lines[1] == "10.0.0.1:1  master   5461   xE      100 ms  1")
        #expect(lines[2] == "10.0.0.2:2  master   5461   none    100 ms  2")
        #expect(lines[5] == "10.0.0.5:5  replica  -      none    -       1")
        let first = try #require(lines.firstIndex { $0.hasPrefix("breaks") })
        let second = try #require(lines.firstIndex { $0.hasPrefix("warns") })
        #expect(first < second)
        #expect(lines.contains("    fix: redis-cli -h 10.0.0.2 -p 2 CONFIG SET notify-keyspace-events Ex"))
        #expect(lines.dropFirst(7).allSatisfy { $0.count <= 80 || $0.contains("fix: ") })
        #expect(!lines.joined().contains("\u{1B}"))
        #expect(spoilt.text(isColoured: true).contains("\u{1B}[1;31mbreaks"))
    }

    @Test func foreignWordsSteerNoTerminal() {
        var facts = DoctorExamples.cluster
        facts.sharedIDs = ["a\u{1B}[2J\u{9B}2J\u{202E}b"]
        facts.deadLetter = ("k\u{9B}\n\u{2028}", "list")
        let text = DoctorReport(facts).text()
        #expect(text.contains("the id a?[2J?2J?b") && text.contains("k??? is a list"), "\(text)")
    }

    @Test func oneFindingAtSeveralServersIsToldOnce() {
        let text = spoilt.text()
        #expect(text.components(separatedBy: "nothing is kept on disk").count == 2)
        #expect(text.contains("    10.0.0.1:1 10.0.0.2:2 10.0.0.3:3\n"))
    }

    @Test func jsonKeysAreAlwaysThere() throws {
        var facts = DoctorExamples.cluster
        facts.nodes[0].contact = .unreachable("gone")
        facts.nodes[0].info = [:]
        facts.nodes[0].settings = .unknown
        facts.registers[0].node = nil
        let data = try JSONEncoder().encode(DoctorReport(facts))
        let top = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(
            Set(top.keys) == [
                "formatVersion", "healthy", "topology", "name", "leaseTtlSeconds", "uncoveredSlots", "registers",
                "nodes", "findings",
                "repairs",
            ])
        let nodes = try #require(top["nodes"] as? [[String: Any]])
        #expect(Set(nodes.map { Set($0.keys) }).count == 1)
        #expect(nodes[0]["notifications"] is NSNull && nodes[1]["notifications"] as? String == "xE")
        let found = try #require(top["findings"] as? [[String: Any]])
        #expect(found.allSatisfy { Set($0.keys) == ["severity", "check", "node", "title", "detail", "fix"] })
    }

    @Test func onlyWhatBreaksCountsForTheExitCode() {
        #expect(spoilt.exitCode == 1)
        var facts = DoctorExamples.cluster
        facts.nodes[0].set("appendonly", "no")
        #expect(DoctorReport(facts).exitCode == 0)
    }
}
