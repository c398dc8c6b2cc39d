import LeaderElection
import RedisClient
import Testing

@testable import Lapse

/// What a server announced between its restart and the moment when the leader began to hear it.
struct RestartedServerTests {
    private let logs = LogSet(limitBytes: 1 << 20, limitAge: .seconds(60))
    private let node = NodeAddress(host: "10.0.0.1", port: 6379)

    private func machine(_ progress: Progress) -> DeliveryMachine {
        var machine = DeliveryMachine(
            logs: logs, filter: KeyFilter(match: ["k:*"], ignore: [], databases: [0]), lanes: 1)
        let master = Topology.Node(id: "m", address: node, role: .master)
        machine.note(TopologyPoll(topology: Topology(mode: .standalone, nodes: [master]), ownWord: [:], number: 0))
        machine.begin(token: FencingToken(rawValue: 7), progress: [progress.runID: progress], now: 1_000_500)
        return machine
    }

    /// The only replica that heard it is stopped, and no member any more when the peers are asked.
    @Test("seed 2053: what only a stopped replica heard of a restarted server is counted as lost")
    func whatOnlyAStoppedReplicaHeard() throws {
        // The leader has just begun: it met the new process before it read of the former one.
        let log = try #require(logs.claim("new", at: node, uptime: .seconds(1), now: 1_000_000))
        log.hear([], counter: 1)
        var machine = machine(
            Progress(runID: "former", node: "\(node)", base: 0, cursor: Cursor(through: 4), token: 1, write: 1))
        _ = machine.take(1)
        let hole = try #require(machine.takeActions().holes.first { $0.runID == "new" })
        #expect(hole.ordinals == 1...1 && hole.survey == nil)
        let lost = machine.settle(hole, .answered)
        #expect(lost == 1)
        _ = machine.take(1)
        #expect(machine.accounts().first { $0.runID == "new" }?.account.lost == 1)
    }
}
