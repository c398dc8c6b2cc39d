import LeaderElectionRedis
import Logging
import NIOCore
import NIOPosix
import RESP
import RedisClient
import Testing

@testable import Lapse

/// By which numbers a feed that comes back goes on.
struct NumberExchangeTests {
    private func register(base: Int) -> FixedReply {
        let fields = ["base:run", "v1 \(base)"].map { RESPValue.bulk(ByteBuffer(string: $0)) }
        return FixedReply(
            .array([.array(fields), .array([]), .integer(1_000), .bulk(ByteBuffer(string: ""))]))
    }

    @Test("seed 15153: replicas that have just begun are no known peers, but their numbers count")
    func whatUnknownPeersHaveTold() async {
        let keeper = ProgressKeeper(
            places: [.init(keys: ElectionKeys.registers(1, name: "test")[0], runner: register(base: 71))], id: "a",
            timeout: .seconds(5))
        let log = NodeLog(
            runID: "run", address: NodeAddress(host: "10.0.0.1", port: 6379), limitBytes: 1 << 20,
            limitAge: .seconds(60))
        #expect(keeper.peers.isEmpty)
        let exchange = NumberExchange(
            id: "a", channel: "lapse:test", keeper: keeper, client: Unreachable(),
            on: MultiThreadedEventLoopGroup.singleton.any(), logger: Logger(label: "test")
        ) { _ in }
        await exchange.ask(about: log)
        #expect(log.base == 71)
    }
}

/// A server that takes nothing.
private struct Unreachable: CommandRunner {
    func send(_ command: RESPCommand, key: String) async throws(RedisError) -> RESPValue {
        throw RedisError(.closed, node: nil, "unreachable")
    }

    func run(_ script: Script, keys: [String], arguments: [[UInt8]]) async throws(RedisError) -> RESPValue {
        throw RedisError(.closed, node: nil, "unreachable")
    }
}
