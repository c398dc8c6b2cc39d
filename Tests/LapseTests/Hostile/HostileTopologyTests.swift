import NIOCore
import RESP
import Testing

@testable import Lapse
@testable import LeaderElection
@testable import LeaderElectionRedis
@testable import RedisClient

/// I14 for what servers say of each other, and what registers answer.
@Suite(.timeLimit(.minutes(2)))
struct HostileTopologyTests {
    private let asked = NodeAddress(host: "10.0.0.1", port: 6379)

    @Test("CLUSTER NODES: the merged view, its claims, and the table it is compared by")
    func clusterNodes() {
        var draw = HostileText(20)
        let example = """
            07c37 10.0.0.1:6379@16379,a.example myself,master - 0 1700000000000 1 connected 0-5460 [93-<-67ed2]
            67ed2 10.0.0.2:6379@16379 master - 0 1700000000000 18446744073709551615 connected 5461-16383
            6ec23 :0@0 slave 67ed2 0 1700000000000 3 connected
            """
        // Each round costs as much as two of the others.
        for _ in 0..<HostileText.rounds / 2 {
            let text = draw.text("nodes", [example])
            let answer = ClusterNodes(text, asked: asked)
            let topology = ClusterNodes.merge([answer, answer], map: AddressMap(), useHostNames: true)
            #expect(topology.nodes.allSatisfy { (0...65535).contains($0.address.port) })
            for slot in [0, 93, 16383] as [UInt16] {
                _ = topology.owner(of: slot)
                for node in topology.nodes { _ = topology.claim(of: node.address).counts(slot) }
            }
            _ = ClusterTable(.text(text))
        }
    }

    @Test("INFO replication, and the addresses that Sentinels and servers name")
    func replication() {
        var draw = HostileText(21)
        let example = """
            role:master\r\nconnected_slaves:2\r\nslave0:ip=10.0.0.2,port=6379,state=online\r\nslave1:ip=::1,port=6380\r\n\
            master_host:10.0.0.3\r\nmaster_port:6379\r\n
            """
        let server = "run_id:0123456789abcdef0123456789abcdef01234567\r\nuptime_in_seconds:86400\r\n"
        var group = ReplicationGroup(seeds: [asked])
        for _ in 0..<HostileText.rounds {
            let text = draw.text("replication", [example, example.replacing("master\r", with: "slave\r")])
            let word = ReplicationWord(
                server: .text(draw.text("server", [server])), replication: .text(text), from: asked, map: AddressMap())
            #expect(word.mentions.allSatisfy { (1...65535).contains($0.port) })
            _ = group.look([word])
        }
    }

    @Test("a register's replies: no number that cannot be true comes out of them")
    func registers() async {
        var draw = HostileText(22)
        let granted = RESPValue.array([.text("granted"), .text("1700000000000"), .text("7")])
        let held = RESPValue.array([
            .text("held"), .text("a:12"), .integer(1_500), .text("1700000000000"), .text("r"), .text("elect"),
        ])
        let refused = RESPValue.array([.text("refused"), .integer(800)])
        let seen = RESPValue.array([.text("a:12"), .integer(1_500), .text("7"), .text("1700000000000")])
        let claim = Claim(name: "n", id: "a", value: "a:1", ttl: .seconds(2), rules: "r")
        for _ in 0..<HostileText.rounds / 4 {
            let reply = draw.reply("register", draw.pick([granted, held, refused]))
            let register = RedisLeaseRegister(
                keys: ElectionKeys.registers(1, name: "test")[0], runner: FixedReply(reply), timeout: .seconds(1),
                seen: LargestToken(), votes: VoteWatch())
            switch try? await register.acquire(claim) {
            case .granted(let vote): #expect(max(vote.counter, vote.term + 1) <= PlausibleCount.limit)
            case .held(_, let ttl?): #expect(ttl <= claim.ttl)
            case .refused(_, let wait?): #expect(wait <= claim.ttl + .seconds(1))
            default: break
            }
            let observer = RedisLeaseRegister(
                keys: ElectionKeys.registers(1, name: "test")[0],
                runner: FixedReply(draw.reply("observation", seen)), timeout: .seconds(1), seen: LargestToken(),
                votes: VoteWatch())
            if let seen = try? await observer.observe("n") { #expect(seen.term < PlausibleCount.limit) }
        }
        #expect(Vote(counter: 1, term: .max).term + 1 > 0)
    }
}
