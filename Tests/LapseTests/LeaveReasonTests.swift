import RedisClient
import Testing

@testable import Lapse

/// When a replica that leaves is needed no more.
struct LeaveReasonTests {
    private let logs = LogSet(limitBytes: 1 << 20, limitAge: .seconds(60))

    /// With something that no leader has finished.
    private init() {
        let log = logs.log(of: "run", at: NodeAddress(host: "10.0.0.1", port: 6379))
        let kept = log.insert(
            [HeardExpiration(ordinal: 1, database: 0, receivedAt: 1_000, key: [1])], look: 0, now: 1_000)
        #expect(kept == 1)
    }

    private func reason(
        _ id: String, _ peers: Set<String>, leaving: Set<String> = [], wholeness: Wholeness? = nil
    ) -> LeaveReason? {
        LeaveReason(
            id: id, token: 7, logs: logs, progress: [:], peers: peers, leaving: leaving, wholeness: wholeness)
    }

    @Test func oneOfSeveralStaysUntilTheSuccessorIsWhole() {
        #expect(reason("a", ["a"]) == .alone)
        #expect(reason("a", ["a", "b"]) == nil)
        #expect(reason("a", ["a", "b"], wholeness: Wholeness(token: 8, isWhole: true)) == .successorIsWhole)
        #expect(reason("a", ["a", "b"], wholeness: Wholeness(token: 8, isWhole: false)) == nil)
        #expect(reason("a", ["a", "b"], wholeness: Wholeness(token: 7, isWhole: true)) == nil, "its own word")
    }

    @Test("all leave at once: they do not wait for each other, and one goes after the other")
    func allLeave() {
        let all: Set = ["a", "b", "c"]
        #expect(reason("a", all, leaving: all) == .allLeave)
        #expect(reason("b", all, leaving: all) == nil)
        #expect(reason("c", all, leaving: all) == nil)
        #expect(reason("b", ["b", "c"], leaving: ["b", "c"]) == .allLeave)
        #expect(reason("a", all, leaving: ["a", "b"]) == nil, "c stays, and takes over")
        #expect(reason("a", ["a", "b", "d"], leaving: all) == nil, "one has come back")
    }
}
