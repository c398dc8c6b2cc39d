import LeaderElection
import LeaderElectionRedis
import NIOPosix
import RESP
import RedisClient
import Testing
import ThrowawayRedis

/// The registers on real servers: one test at a time, and each ends what it starts.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct RegisterTests {
    /// One register on a server of its own, and means to look behind it.
    struct Place: Sendable {
        let server: ThrowawayServer
        let client: NodeClient
        let store: RedisLeaseStore
        var register: any LeaseRegister { store.registers[0] }
        var lock: String { store.keys[0].lock }

        func text(_ words: String...) async throws -> String? {
            let reply = try await client.send(RESPCommand(words))
            return reply.int.map(String.init) ?? reply.string
        }
    }

    static func withPlace(_ body: (Place) async throws -> Void) async throws {
        let server = try await ThrowawayServer.start()
        let address = NodeAddress(host: server.host, port: server.port)
        let client = NodeClient(
            address, settings: ConnectionSettings(clientName: "lapse:test:one:lock"),
            on: MultiThreadedEventLoopGroup.singleton.next())
        let store = RedisLeaseStore(name: "test", servers: [SingleServer(client)], timeout: .seconds(5))
        do {
            try await body(Place(server: server, client: client, store: store))
        } catch {
            await client.shutDown()
            await server.shutDown()
            throw error
        }
        await client.shutDown()
        await server.shutDown()
    }

    static func claim(_ id: String, ttl: Duration = .seconds(60), rules: String = "v1") -> Claim {
        Claim(name: "test", id: id, value: "\(id):\(UInt64.random(in: .min ... .max))", ttl: ttl, rules: rules)
    }

    /// Takes a register for `claim`, though the server is younger than its TTL: first for a second, then in
    /// full.
    static func take(_ register: any LeaseRegister, _ claim: Claim) async throws -> Vote {
        let short = Claim(name: claim.name, id: claim.id, value: claim.value, ttl: .seconds(1), rules: claim.rules)
        let deadline = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < deadline {
            let first = try await register.acquire(short)
            if case .granted(let vote) = first {
                if case .granted(let again) = try await register.acquire(claim), again.counter == vote.counter {
                    return vote
                }
            } else if case .refused = first {
                try await Task.sleep(for: .milliseconds(20))
            } else {
                throw ThrowawayRedisError("the register answers \(first)")
            }
        }
        throw ThrowawayRedisError("the register never grants")
    }
}
