import LeaderElection
import LeaderElectionRedis
import NIOPosix
import RedisClient
import Testing
import ThrowawayRedis

/// The rules that a group signs in Redis.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct SignedRulesTests {
    private final class Group {
        let server: ThrowawayServer
        let client: NodeClient

        init(_ server: ThrowawayServer) {
            self.server = server
            client = NodeClient(
                NodeAddress(host: "127.0.0.1", port: server.port), settings: ConnectionSettings(clientName: "test"),
                on: MultiThreadedEventLoopGroup.singleton.next())
        }

        func register(_ id: String, _ terms: String, ttl: Duration = .seconds(1)) -> any LeaseRegister {
            let keys = ElectionKeys.rules(inCluster: false, name: "n")[0]
            return store(id, terms, [.init(keys: keys, runner: SingleServer(client))], ttl: ttl).registers[0]
        }

        func store(_ id: String, _ terms: String, _ places: [RulesKeeper.Place], ttl: Duration) -> RuledStore {
            let keeper = RulesKeeper(
                places: places, signature: .init(member: MemberID(id: id), terms: terms),
                purpose: LeasePurpose(kind: "run"), leaseTTL: ttl, timeout: .seconds(1),
                on: MultiThreadedEventLoopGroup.singleton.next())
            let votes = RedisLeaseStore(name: "n", servers: [SingleServer(client)], timeout: .seconds(1))
            return RuledStore(votes, keeper: keeper)
        }

        func claim(_ id: String) -> Claim {
            Claim(
                name: "n", id: id, value: "\(id):\(UInt64.random(in: .min ... .max))", ttl: .milliseconds(500),
                rules: "rules")
        }

        func acquire(_ id: String, _ terms: String) async throws -> AcquireReply {
            try await register(id, terms).acquire(claim(id))
        }

        func end() async {
            await client.shutDown()
            await server.shutDown()
        }
    }

    private func group() async throws -> Group { Group(try await ThrowawayServer.start()) }

    /// Also where no replica holds a lock: the living replicas' signatures count.
    @Test func otherTermsAreRefusedWhileASignatureLives() async throws {
        let group = try await group()
        let first = group.register("a", "registers=1")
        let mine = group.claim("a")
        try await waitUntil("the server is old enough", within: .seconds(20)) {
            if case .granted = try await first.acquire(mine) { nil } else { "it is not" }
        }
        try await first.release(mine, wake: false)
        guard case .mismatch(let rules) = try await group.acquire("b", "registers=3") else {
            Issue.record("it was not refused")
            return
        }
        #expect(rules.contains("registers=1") && rules.contains("replica a"))
        if case .mismatch = try await group.acquire("c", "registers=1") { Issue.record("the same terms were refused") }
        try await waitUntil("the signatures run out", within: .seconds(20)) {
            if case .mismatch = try await group.acquire("b", "registers=3") { "not yet" } else { nil }
        }
        if case .mismatch = try await group.acquire("a", "registers=1") {} else { Issue.record("both rules held") }
        await group.end()
    }

    /// What is no signature, or one that cannot be true, stands in no replica's way.
    @Test func aHashFullOfNonsenseIsPassedOver() async throws {
        let group = try await group()
        let key = ElectionKeys.rules(inCluster: false, name: "n")[0].rules
        for text in ["", "1", "1 x", "2 99999999999999 future format", "1 99999999999999999999\nterms\n", "1 5\nold\n"]
        {
            _ = try await group.server.cli("HSET", key, "x\(text.count)", text)
        }
        if case .mismatch = try await group.acquire("a", "registers=1") { Issue.record("nonsense was believed") }
        await group.end()
    }

    /// A server that takes no writes still tells what stands there.
    @Test func aFullServerIsLookedAt() async throws {
        let group = try await group()
        _ = try await group.acquire("a", "registers=1")
        _ = try await group.server.cli("CONFIG", "SET", "maxmemory", "1")
        guard case .mismatch = try await group.acquire("b", "registers=3") else {
            Issue.record("it was not refused")
            return
        }
        let key = ElectionKeys.rules(inCluster: false, name: "n")[0].rules
        // Also when its signature, which cannot be renewed, has run out.
        try await waitUntil("the signature has run out", within: .seconds(20)) {
            let signatures = try await group.server.cli("HVALS", key)
            let time = try await group.server.cli("TIME").split(separator: "\n")[0]
            guard let ends = signatures.split(separator: "\n").first?.split(separator: " ").last.flatMap({ Int($0) }),
                let now = Int(time)
            else { return "nothing is signed: \(signatures)" }
            return ends < now * 1000 ? nil : "\(signatures)"
        }
        guard case .mismatch = try await group.acquire("c", "registers=3") else {
            Issue.record("it was not refused")
            return
        }
        await group.end()
    }

    /// Others may have signed on the two masters that are away, and have other registers.
    @Test func aTermEndsWithItsRulesThoughItsVotesStand() async throws {
        let group = try await group()
        let away = try await ThrowawayServer.start()
        let lost = Group(away)
        let places = zip(ElectionKeys.rules(inCluster: true, name: "n"), [lost, group, lost])
            .map { RulesKeeper.Place(keys: $0, runner: SingleServer($1.client)) }
        let store = group.store("a", "registers=5", places, ttl: .milliseconds(200))
        let signing = Task { await store.run() }
        let register = store.registers[0]
        let mine = group.claim("a")
        try await waitUntil("the server is old enough", within: .seconds(20)) {
            if case .granted = try await register.acquire(mine) { nil } else { "it is not" }
        }
        await away.shutDown()
        try await waitUntil("the rules are held no more", within: .seconds(20)) {
            let reply = try await register.renew(mine, token: FencingToken(rawValue: 1), term: 1, heal: true)
            return if case .lost = reply { nil } else { "\(reply)" }
        }
        #expect(try await group.register("b", "registers=1").observe("n").leader == "a", "the vote was there")
        signing.cancel()
        await signing.value
        await lost.client.shutDown()
        await group.end()
    }

    /// Signatures that ran out while writes were refused still count when they come back.
    @Test func theFirstWriteIsNoOthersSignature() async throws {
        let group = try await group()
        let key = ElectionKeys.rules(inCluster: false, name: "n")[0].rules
        let (leader, other) = (group.register("a", "registers=1"), group.register("b", "registers=3"))
        func isRefused(_ register: any LeaseRegister, _ id: String) async throws -> Bool {
            do {
                if case .mismatch = try await register.acquire(group.claim(id)) { return true }
            } catch { return false }
            return false
        }
        #expect(try await !isRefused(leader, "a"))
        #expect(try await isRefused(other, "b"))
        let life = try #require(Int(try await group.server.cli("PTTL", key)))
        #expect(life > 86_400_000, "too few replicas refuse PEXPIRE, too: it must outlast that")
        _ = try await group.server.cli("CONFIG", "SET", "maxmemory", "1")
        try await waitUntil("the signature has run out", within: .seconds(20)) {
            #expect(try await isRefused(other, "b"))
            let signature = try await group.server.cli("HVALS", key).split(separator: "\n").first
            let ends = try #require(signature?.split(separator: " ").last.flatMap { Int($0) })
            let now = try #require(Int(try await group.server.cli("TIME").split(separator: "\n")[0]))
            return ends < now * 1000 ? nil : "not yet"
        }
        #expect(try await !isRefused(leader, "a"), "its term goes on")
        _ = try await group.server.cli("CONFIG", "SET", "maxmemory", "0")
        #expect(try await isRefused(other, "b"), "the leader has not looked since")
        #expect(try await !isRefused(leader, "a"))
        #expect(try await isRefused(other, "b"))
        try await waitUntil("the leader's signature has run out", within: .seconds(20)) {
            try await isRefused(other, "b") ? "not yet" : nil
        }
        #expect(try await isRefused(leader, "a"))
        await group.end()
    }

    /// A leader may go on for as long as its own signatures live, not those of the replica that asks; no
    /// longer than signatures are kept, whatever a forged one says.
    @Test(
        arguments: [
            ("30000", 20_000, true), ("30000", 80_000, true), ("30000", 100_000, false), ("0", 10_000, true),
            ("0", 20_000, false), (String(repeating: "9", count: 400), 259_190_000, true),
            (String(repeating: "9", count: 400), 259_201_000, false),
        ])
    func aSignatureThatRanOutIsWaitedForByItsOwnLease(lease: String, since: Int, isRefused: Bool) async throws {
        let group = try await group()
        let key = ElectionKeys.rules(inCluster: false, name: "n")[0].rules
        let now = try #require(Int(try await group.server.cli("TIME").split(separator: "\n")[0])) * 1000
        _ = try await group.server.cli("HSET", key, "a#1", "1 \(now - 1_000)\nttl=\(lease)ms registers=1\n")
        // Writes have been taken for so long.
        _ = try await group.server.cli("HSET", key, "#", "writes \(now - since) \(now)")
        let other = group.register("b", "ttl=5000ms registers=1", ttl: .seconds(5))
        let reply = try await other.acquire(group.claim("b"))
        if case .mismatch = reply { #expect(isRefused) } else { #expect(!isRefused) }
        await group.end()
    }

    /// Its master may take writes, of others: a replica's refusal keeps no term.
    @Test func aReplicasRefusalIsNotItsMasters() async throws {
        let group = try await group()
        let demoted = Group(try await ThrowawayServer.start())
        let keys = ElectionKeys.rules(inCluster: false, name: "n")[0]
        let place = RulesKeeper.Place(keys: keys, runner: SingleServer(demoted.client))
        let store = group.store("a", "registers=1", [place], ttl: .milliseconds(200))
        let signing = Task { await store.run() }
        let register = store.registers[0]
        let mine = group.claim("a")
        try await waitUntil("the server is old enough", within: .seconds(20)) {
            if case .granted = try await register.acquire(mine) { nil } else { "it is not" }
        }
        _ = try await demoted.server.cli("REPLICAOF", "127.0.0.1", "1")
        try await waitUntil("the rules are held no more", within: .seconds(20)) {
            let reply = try await register.renew(mine, token: FencingToken(rawValue: 1), term: 1, heal: true)
            return if case .lost = reply { nil } else { "\(reply)" }
        }
        signing.cancel()
        await signing.value
        await demoted.end()
        await group.end()
    }

    /// Rows 115 and 118: a server that has forgotten the counter, with a clock behind, is told what the
    /// replica has seen.
    @Test func aForgottenCounterGoesOnAboveWhatWasSeen() async throws {
        let group = try await group()
        let keys = ElectionKeys(tag: LockTags.tags(1)[0], name: "n")
        let follower = group.register("b", "registers=1")
        let leader = group.claim("a")
        let register = group.register("a", "registers=1")
        try await waitUntil("the server is old enough", within: .seconds(20)) {
            if case .granted = try await register.acquire(leader) { nil } else { "it is not" }
        }
        // An hour ahead of this server's clock, as one gave out that is gone.
        let seconds = try #require(UInt64(try await group.server.cli("TIME").split(separator: "\n")[0]))
        let ahead = seconds * 1000 + 3_600_000
        _ = try await group.server.cli("SET", keys.token, "\(ahead)")
        _ = try await group.server.cli("SET", keys.lock, leader.value)
        guard case .held = try await follower.acquire(group.claim("b")) else {
            Issue.record("it was not held")
            return
        }
        _ = try await group.server.cli("DEL", keys.token, keys.lock)
        guard case .granted(let vote) = try await follower.acquire(group.claim("b")) else {
            Issue.record("it was not granted")
            return
        }
        #expect(vote.counter > ahead)
        await group.end()
    }

    /// Row 117: the vote whose time was not replicated has it again after `confirm`.
    @Test func confirmingStartsTheTimeAnew() async throws {
        let group = try await group()
        let keys = ElectionKeys(tag: LockTags.tags(1)[0], name: "n")
        let register = group.register("a", "registers=1", ttl: .seconds(3))
        var mine = group.claim("a")
        mine = Claim(name: "n", id: "a", value: mine.value, ttl: .seconds(60), rules: "rules")
        // Its rules hold from the first question on, whatever became of the vote.
        _ = try await register.acquire(mine)
        _ = try await group.server.cli("SET", keys.lock, mine.value, "PX", "5000")
        #expect(try await register.confirm(mine, token: FencingToken(rawValue: 9), term: 2))
        #expect(try #require(Int(try await group.server.cli("PTTL", keys.lock))) > 5000)
        // One that does not hold it learns the token all the same, and no term.
        #expect(try await register.confirm(group.claim("b"), token: FencingToken(rawValue: 77), term: 8) == false)
        let seen = try await register.observe("n")
        #expect(seen.token.rawValue >= 77 && seen.term == 2 && seen.leader == "a")
        await group.end()
    }
}
