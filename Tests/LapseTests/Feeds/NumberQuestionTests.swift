import Endpoints
import LeaderElectionRedis
import NIOPosix
import RESP
import RedisClient
import Synchronization
import Testing
import ThrowawayRedis

@testable import Lapse

/// How replicas ask each other about numbers.
@Suite(.timeLimit(.minutes(1))) struct NumberQuestionTests {
    /// Does not take the first message.
    private final class DeafRunner: CommandRunner {
        private let sent = Mutex(0)
        private let taken = Mutex<[String]>([])

        var messages: [String] { taken.withLock { $0 } }

        func send(_ command: RESPCommand, key: String) async throws(RedisError) -> RESPValue {
            let isFirst = sent.withLock { sent in
                sent += 1
                return sent == 1
            }
            if isFirst { throw RedisError(.closed, node: nil, "the connection broke") }
            taken.withLock { $0.append(key) }
            return .integer(1)
        }

        func run(_ script: Script, keys: [String], arguments: [[UInt8]]) async throws(RedisError) -> RESPValue { .null }
    }

    @Test("a question that a broken connection did not take is put again")
    func putAgain() async throws {
        let server = try await ThrowawayServer.start()
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let address = NodeAddress(host: server.host, port: server.port)
        let client = NodeClient(address, settings: ConnectionSettings(clientName: "lapse:test:one:command"), on: loop)
        func keeper(_ id: String) -> ProgressKeeper {
            let keys = ElectionKeys.registers(1, name: "test")[0]
            return ProgressKeeper(
                places: [.init(keys: keys, runner: SingleServer(client))], id: id, timeout: .seconds(5))
        }
        let (own, peer) = (keeper("a"), keeper("b"))
        _ = await peer.read()
        _ = await own.read()
        #expect(own.peers.contains("b"))
        let runner = DeafRunner()
        let exchange = NumberExchange(
            id: "a", channel: "lapse:test", keeper: own, client: runner, on: loop, logger: CapturedLog().logger
        ) { _ in }
        await exchange.ask(about: NodeLog(runID: "run", address: address, limitBytes: 1 << 20, limitAge: .seconds(60)))
        #expect(runner.messages == ["lapse:test"])
        await client.shutDown()
        await server.shutDown()
    }
}
