import LeaderElection
import LeaderElectionEtcd
import Testing
import ThrowawayStores

/// The elector asks again, with the same claim and so the same lease, while its first try still runs.
@Suite(.serialized, .timeLimit(.minutes(5)), .enabled(if: ThrowawayEtcd.isInstalled, "etcd is not installed"))
struct EtcdLateAnswerTests {
    private struct Situation {
        let stage: StoreStage
        let proxy: FaultProxy
        /// Asks through the proxy.
        let register: any LeaseRegister
        let rival: any LeaseRegister
    }

    private func with(_ work: (Situation) async throws -> Void) async throws {
        try await StoreStage.with(EtcdUnderTest()) { stage in
            let proxy = try await stage.proxy()
            var configuration = EtcdConfiguration(endpoints: [.init(host: "127.0.0.1", port: proxy.port)])
            configuration.requestTimeout = .seconds(120)
            let store = EtcdLeaseStore(configuration: configuration, name: "x", logger: quiet)
            let outcome: Result<Void, any Error>
            do {
                let register = store.registers[0]
                _ = try await register.observe("x")
                let rival = try await stage.register("x")
                try await work(Situation(stage: stage, proxy: proxy, register: register, rival: rival))
                outcome = .success(())
            } catch {
                outcome = .failure(error)
            }
            await store.shutDown()
            try outcome.get()
        }
    }

    /// After the lock was seen free and the lease was granted, a rival is quicker. Then one reply is held
    /// back: the refusal, or, with one reply more, the revocation that follows.
    private func overtake(_ situation: Situation, by theirs: Claim, holdingAfter replies: Int) async throws {
        let proxy = situation.proxy
        try await eventually("the grant's reply is held back") { try await proxy.heldReplies == 1 }
        _ = try await situation.stage.take(situation.rival, theirs)
        try await proxy.set(.hold(afterReplies: replies))
        try await proxy.letGo()
        try await eventually("a later reply is held back") { try await proxy.heldReplies == 1 }
        try await situation.rival.release(theirs, wake: false)
    }

    @Test func aLateRefusalLeavesTheLeaseOfALaterTry() async throws {
        try await with { situation in
            let register = situation.register
            let mine = situation.stage.claim("x", "a", ttl: .seconds(120))
            let theirs = situation.stage.claim("x", "c", ttl: .seconds(120))
            try await situation.proxy.set(.hold(afterReplies: 1))
            async let first = register.acquire(mine)
            try await overtake(situation, by: theirs, holdingAfter: 0)
            guard case .granted(let vote) = try await register.acquire(mine) else {
                throw GaveUp(description: "the second try was not granted")
            }
            try await situation.proxy.letGo()
            guard case .held(let holder, _) = try await first else {
                throw GaveUp(description: "the first try was not refused")
            }
            #expect(holder == theirs.value)
            #expect(try await situation.rival.observe("x").holder == mine.value)
            let token = FencingToken(rawValue: vote.counter)
            #expect(try await register.renew(mine, token: token, term: 1, heal: false) == .renewed)
        }
    }

    @Test func noTryBeginsWhileTheLeaseIsRevoked() async throws {
        try await with { situation in
            let register = situation.register
            let mine = situation.stage.claim("x", "a", ttl: .seconds(120))
            let theirs = situation.stage.claim("x", "c", ttl: .seconds(120))
            try await situation.proxy.set(.hold(afterReplies: 1))
            async let first = register.acquire(mine)
            try await overtake(situation, by: theirs, holdingAfter: 1)
            guard case .refused = try await register.acquire(mine) else {
                throw GaveUp(description: "the second try was not refused")
            }
            #expect(try await situation.rival.observe("x").holder == nil)
            try await situation.proxy.letGo()
            guard case .held(let holder, _) = try await first else {
                throw GaveUp(description: "the first try was not refused")
            }
            #expect(holder == theirs.value)
            _ = try await situation.stage.take(register, mine)
        }
    }
}
