import Lapse
import RedisClient
import Testing

@testable import LapseDoctor

/// What `--punctual`, `--dead-letter` and `--stream` ask for besides.
extension DoctorRulesTests {
    /// Flags, what they should be for `--punctual track`, and the weight.
    static let flags: [(String, String, DoctorFinding.Severity)] = [
        ("xE", "xEg", .warns), ("", "Exg", .breaks), ("K", "KExg", .breaks),
    ]

    @Test("--punctual track needs class g: without it run sweeps, which is no loss", arguments: flags)
    func hintsThatAreMissing(_ has: String, _ needs: String, _ severity: DoctorFinding.Severity) throws {
        var facts = DoctorExamples.cluster
        facts.rights.punctual = .track
        for index in facts.nodes.indices { facts.nodes[index].set("notify-keyspace-events", index == 4 ? has : "AE") }
        let found = findings(facts, "notifications")
        #expect(found.map(\.severity) == [severity])
        #expect(found.first?.fix == "redis-cli -h 10.0.0.5 -p 5 CONFIG SET notify-keyspace-events \(needs)")
        facts.rights.punctual = .sweep
        #expect(findings(facts, "notifications").count == (severity == .warns ? 0 : 1))
    }

    @Test("a partition that is no stream takes nothing")
    func streamsOfAnotherType() {
        var facts = DoctorExamples.cluster
        facts.partitions = [.init("a", .holds("stream")), .init("b", .holds("none"))]
        #expect(findings(facts, "stream").isEmpty)
        facts.partitions += [.init("c", .holds("string")), .init("d", .refused("NOPERM"))]
        let found = findings(facts, "stream")
        #expect(found.map(\.severity) == [.breaks, .breaks])
        #expect(found.first?.detail.hasPrefix("c is a string") == true)
        #expect(found.last?.detail.contains("NOPERM") == true)
    }

    @Test("a key for dead letters that may not be looked at is not well")
    func unknownDeadLetters() {
        var facts = DoctorExamples.cluster
        facts.deadLetterRefusal = "NOPERM no 'type'"
        let found = findings(facts, "permissions")
        #expect(found.map(\.severity) == [.warns] && found.first?.detail.contains("NOPERM no 'type'") == true)
        facts.nodes[0].refusals = [Refusal(.deadLetters, "not permitted: TYPE")]
        #expect(findings(facts, "permissions").map(\.title) == ["no right to the stream for dead letters"])
    }
}
