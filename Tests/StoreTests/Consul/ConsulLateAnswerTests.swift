import LeaderElection
import Testing
import ThrowawayStores

@testable import LeaderElectionConsul

/// The elector asks again, with the same claim and so the same session, while its first try still runs.
@Suite(.serialized, .timeLimit(.minutes(5)), .enabled(if: ThrowawayConsul.isInstalled))
struct ConsulLateAnswerTests {
    private struct Situation {
        let stage: StoreStage
        let proxy: FaultProxy
        /// Asks through the proxy.
        let register: any LeaseRegister
        let rival: any LeaseRegister
        let mine: Claim
        let theirs: Claim
    }

    private func with(_ work: (Situation) async throws -> Void) async throws {
        try await StoreStage.with(ConsulUnderTest()) { stage in
            let name = StoreStage.name()
            let proxy = try await stage.proxy()
            let rival = try await stage.register(name)
            let store = try ConsulLeaseStore(
                configuration: .init(agents: [.init(port: proxy.port)], requestTimeout: .seconds(120)),
                name: name, logger: quiet)
            let outcome: Result<Void, any Error>
            do {
                try await work(
                    Situation(
                        stage: stage, proxy: proxy, register: store.registers[0], rival: rival,
                        mine: stage.claim(name, "a", ttl: .seconds(60)),
                        theirs: stage.claim(name, "c", ttl: .seconds(60))))
                outcome = .success(())
            } catch {
                outcome = .failure(error)
            }
            await store.shutDown()
            try outcome.get()
        }
    }

    @Test func aLateRefusalLeavesTheSessionOfALaterTry() async throws {
        try await with { situation in
            let (register, proxy) = (situation.register, situation.proxy)
            let (mine, theirs) = (situation.mine, situation.theirs)
            _ = try await situation.stage.take(situation.rival, theirs)
            // That the rival holds it is heard late.
            try await proxy.set(.hold(afterReplies: 0))
            async let first = register.acquire(mine)
            try await eventually("the first view is held back") { try await proxy.heldReplies == 1 }
            try await situation.rival.release(theirs, wake: false)
            guard case .granted(let vote) = try await register.acquire(mine) else {
                throw GaveUp(description: "the second try was not granted")
            }
            try await proxy.letGo()
            let late = try await first
            #expect(late == .held(by: theirs.value, ttl: nil))
            let token = FencingToken(rawValue: vote.counter)
            #expect(try await register.renew(mine, token: token, term: 1, heal: false) == .renewed)
            #expect(try await situation.rival.observe(mine.name).holder == mine.value)
        }
    }

    @Test func noTryBeginsWhileTheSessionIsEnded() async throws {
        try await with { situation in
            let (register, proxy) = (situation.register, situation.proxy)
            let (mine, theirs) = (situation.mine, situation.theirs)
            // The lock is seen free and a session made; then the rival is quicker.
            try await proxy.set(.hold(afterReplies: 1))
            async let first = register.acquire(mine)
            try await eventually("the session's creation is held back") { try await proxy.heldReplies == 1 }
            _ = try await situation.stage.take(situation.rival, theirs)
            // The transaction fails, the view says why, and the session is destroyed: that is heard late.
            try await proxy.set(.hold(afterReplies: 2))
            try await proxy.letGo()
            try await eventually("the session's end is held back") { try await proxy.heldReplies == 1 }
            try await situation.rival.release(theirs, wake: false)
            guard case .refused = try await register.acquire(mine) else {
                throw GaveUp(description: "the second try was not refused")
            }
            try await proxy.letGo()
            let late = try await first
            #expect(late == .held(by: theirs.value, ttl: nil))
            _ = try await situation.stage.take(register, mine)
        }
    }

    /// The answers to two creations come in the wrong order, or one is found in between.
    @Test func anOpenSessionIsNotDisplaced() {
        var ledger = SessionLedger()
        #expect(ledger.ask("a") == true)
        #expect(ledger.adopt("later", for: "a") == "later")
        #expect(ledger.adopt("first", for: "a") == "later")
        #expect(ledger.ask("a") == false)
        ledger.forget("first", of: "a")
        ledger.forget(nil, of: "a")
        #expect(ledger["a"] == .open("later"))
        ledger.forget("later", of: "a")
        #expect(ledger["a"] == nil)
        #expect(ledger.ask("a") == true)
        #expect(ledger["a"] == .asked)
        ledger.forget(nil, of: "a")
        #expect(ledger["a"] == nil)
    }
}
