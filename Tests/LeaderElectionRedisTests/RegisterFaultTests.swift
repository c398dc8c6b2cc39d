import Endpoints
import LeaderElection
import LeaderElectionRedis
import NIOPosix
import RESP
import RedisClient
import Testing
import ThrowawayRedis

extension RegisterTests {
    @Test("the note of a term goes with its lock, and a user without that right releases all the same")
    func theNoteOfATermGoesWithTheLock() async throws {
        try await Self.withPlace { place in
            let progress = place.store.keys[0].progress
            let (mine, other) = (Self.claim("a"), Self.claim("b"))
            _ = try await Self.take(place.register, mine)
            _ = try await place.text("HSET", progress, "led", mine.value)
            try await place.register.release(other, wake: false)
            #expect(try await place.text("HGET", progress, "led") == mine.value)
            _ = try await place.text("ACL", "SETUSER", "default", "-hdel")
            try await place.register.release(mine, wake: false)
            #expect(try await place.text("EXISTS", place.lock) == "0")
            _ = try await place.text("ACL", "SETUSER", "default", "+hdel")
            // Also where the lock is another's by now.
            _ = try await Self.take(place.register, other)
            try await place.register.release(mine, wake: false)
            #expect(try await place.text("HEXISTS", progress, "led") == "0")
            #expect(try await place.text("GET", place.lock) == other.value)
        }
    }

    @Test func outlivesAScriptFlush() async throws {
        try await Self.withPlace { place in
            let mine = Self.claim("a")
            let vote = try await Self.take(place.register, mine)
            let token = FencingToken(rawValue: vote.counter)
            for _ in 0..<3 {
                _ = try await place.text("SCRIPT", "FLUSH")
                let renewed = try await place.register.renew(mine, token: token, term: 1, heal: false)
                #expect(renewed == .renewed)
                _ = try await place.text("SCRIPT", "FLUSH")
                let again = try await place.register.acquire(mine)
                #expect(again == .granted(Vote(counter: vote.counter, term: 1)))
            }
        }
    }

    @Test func theTokenGrowsOverAFlushOfEverything() async throws {
        try await Self.withPlace { place in
            let mine = Self.claim("a")
            let before = try await Self.take(place.register, mine)
            _ = try await place.text("FLUSHALL")
            let lost = try await place.register.renew(
                mine, token: FencingToken(rawValue: before.counter), term: 1, heal: false)
            #expect(lost == .lost(holder: nil))
            let after = try await Self.take(place.register, Self.claim("b"))
            #expect(after.counter > before.counter)
        }
    }

    @Test func aStallIsATimeoutAndADeathUnreachable() async throws {
        try await Self.withPlace { place in
            let client = NodeClient(
                place.client.address, settings: ConnectionSettings(clientName: "test"),
                on: MultiThreadedEventLoopGroup.singleton.next())
            let hasty = RedisLeaseStore(name: "test", servers: [SingleServer(client)], timeout: .milliseconds(100))
            let patient = RedisLeaseStore(name: "test", servers: [SingleServer(client)], timeout: .seconds(20))
            _ = try await patient.registers[0].observe("test")
            place.server.freeze()
            await #expect(throws: RegisterError.timedOut) { _ = try await hasty.registers[0].acquire(Self.claim("a")) }
            place.server.resume()
            await place.server.kill()
            let error = await #expect(throws: RegisterError.self) {
                _ = try await patient.registers[0].acquire(Self.claim("a"))
            }
            #expect(error.map { $0.code == .unreachable } == true)
            await client.shutDown()
        }
    }

    @Test func missingRightsAreDeniedWithTheFix() async throws {
        try await Self.withPlace { place in
            try await place.server.cli("ACL", "SETUSER", "bob", "on", ">pass", "~other*", "&*", "+@all")
            var settings = ConnectionSettings(clientName: "test")
            settings.credentials = Credentials(user: "bob", password: Secret("pass"))
            let client = NodeClient(
                place.client.address, settings: settings, on: MultiThreadedEventLoopGroup.singleton.next())
            let store = RedisLeaseStore(name: "test", servers: [SingleServer(client)], timeout: .seconds(5))
            let error = await #expect(throws: RegisterError.self) {
                _ = try await store.registers[0].acquire(Self.claim("a"))
            }
            guard let text = error?.detail(of: .denied) else {
                Issue.record("it is \(String(describing: error))")
                return
            }
            #expect(text.contains(place.server.address))
            #expect(text.contains("lapse doctor --acl"))
            await client.shutDown()
        }
    }

    @Test func aForeignValueIsUnexpected() async throws {
        try await Self.withPlace { place in
            _ = try await place.text("LPUSH", place.lock, "not a lock")
            let error = await #expect(throws: RegisterError.self) {
                _ = try await place.register.observe("test")
            }
            #expect(error.map { $0.code == .unexpected } == true)
        }
    }

    @Test func wakesWhoeverListens() async throws {
        try await Self.withPlace { place in
            var wakeUps = place.store.wakeUps().makeAsyncIterator()
            place.store.wake(.lapsed)
            place.store.wake(.released)
            let first = await wakeUps.next()
            #expect(first == .released, "only the newest is kept")
        }
    }
}
