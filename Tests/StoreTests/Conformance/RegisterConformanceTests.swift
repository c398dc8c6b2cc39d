import LeaderElection
import Testing

/// What every register must do, fault or not (article "Writing a store").
@Suite(.serialized, .timeLimit(.minutes(10)))
struct RegisterConformanceTests {
    @Test(arguments: StoresUnderTest.present)
    func anEmptyRegisterGrants(_ kind: any StoreUnderTest) async throws {
        try await StoreStage.with(kind, shared: true) { stage in
            let name = StoreStage.name()
            let register = try await stage.register(name)
            let mine = stage.claim(name, "a")
            let before = try await register.observe(name)
            #expect(before.holder == nil && before.ttl == nil && before.term == 0)
            let vote = try await stage.take(register, mine)
            #expect(vote.counter > 0 && vote.term == 0)
            let after = try await register.observe(name)
            #expect(after.holder == mine.value && after.leader == "a")
            #expect(after.token.rawValue >= vote.counter)
        }
    }

    @Test(arguments: StoresUnderTest.present)
    func anotherIsToldWhoHoldsIt(_ kind: any StoreUnderTest) async throws {
        try await StoreStage.with(kind, shared: true) { stage in
            let name = StoreStage.name()
            let register = try await stage.register(name)
            let other = try await stage.register(name)
            let mine = stage.claim(name, "a")
            try await stage.holding(register, mine) {
                for _ in 0..<3 {
                    guard case .held(let holder, let left) = try await other.acquire(stage.claim(name, "b")) else {
                        Issue.record("it was not held")
                        return
                    }
                    #expect(holder == mine.value)
                    if let left { #expect(left >= .zero) }
                }
                #expect(try await register.observe(name).holder == mine.value)
            }
        }
    }

    @Test(arguments: StoresUnderTest.present)
    func aRetryOfTheSameClaimIsGrantedAgain(_ kind: any StoreUnderTest) async throws {
        try await StoreStage.with(kind, shared: true) { stage in
            let name = StoreStage.name()
            let register = try await stage.register(name)
            let mine = stage.claim(name, "a")
            let vote = try await stage.take(register, mine)
            for _ in 0..<3 { #expect(try await register.acquire(mine) == .granted(vote)) }
            // Also from another connection: nothing of it may depend on the memory of one client.
            #expect(try await stage.register(name).acquire(mine) == .granted(vote))
        }
    }

    @Test(arguments: StoresUnderTest.present)
    func onlyTheOwnerConfirms(_ kind: any StoreUnderTest) async throws {
        try await StoreStage.with(kind, shared: true) { stage in
            let name = StoreStage.name()
            let register = try await stage.register(name)
            let mine = stage.claim(name, "a")
            let token = FencingToken(rawValue: try await stage.take(register, mine).counter)
            #expect(try await register.confirm(stage.claim(name, "b"), token: token, term: 9) == false)
            #expect(try await register.observe(name).term == 0)
            #expect(try await register.confirm(mine, token: token, term: 7))
            #expect(try await register.confirm(mine, token: token, term: 7), "it may be repeated")
            #expect(try await register.confirm(mine, token: token, term: 3))
            let seen = try await register.observe(name)
            #expect(seen.term == 7, "a term never falls")
            #expect(seen.token >= token)
            try await register.release(mine, wake: false)
            #expect(try await register.confirm(mine, token: token, term: 8) == false)
            #expect(try await register.observe(name).term == 7, "the term outlives the lock")
        }
    }

    @Test(arguments: StoresUnderTest.present)
    func onlyTheOwnerRenews(_ kind: any StoreUnderTest) async throws {
        try await StoreStage.with(kind, shared: true) { stage in
            let name = StoreStage.name()
            let register = try await stage.register(name)
            let mine = stage.claim(name, "a")
            let other = stage.claim(name, "b")
            let one = FencingToken(rawValue: 1)
            #expect(try await register.renew(other, token: one, term: 1, heal: false) == .lost(holder: nil))
            #expect(try await register.observe(name).holder == nil)
            let token = FencingToken(rawValue: try await stage.take(register, mine).counter)
            #expect(try await register.renew(mine, token: token, term: 4, heal: false) == .renewed)
            #expect(try await register.observe(name).term == 4)
            for heal in [false, true] {
                let reply = try await register.renew(other, token: token, term: 5, heal: heal)
                #expect(reply == .lost(holder: mine.value))
            }
            #expect(try await register.observe(name).term == 4)
        }
    }

    @Test(arguments: StoresUnderTest.present)
    func aRenewalKeepsWhatOtherwiseLapses(_ kind: any StoreUnderTest) async throws {
        try await StoreStage.with(kind, shared: true) { stage in
            let kept = StoreStage.name("kept")
            let left = StoreStage.name("left")
            let keeper = try await stage.register(kept)
            let leaver = try await stage.register(left)
            let mine = stage.claim(kept, "a")
            let token = FencingToken(rawValue: try await stage.take(keeper, mine).counter)
            let abandoned = stage.claim(left, "a")
            _ = try await stage.take(leaver, abandoned)
            try await eventually("the abandoned lease lapses") {
                #expect(try await keeper.renew(mine, token: token, term: 1, heal: false) == .renewed)
                return try await leaver.observe(left).holder == nil
            }
            #expect(try await leaver.renew(abandoned, token: token, term: 1, heal: false) == .lost(holder: nil))
        }
    }

    @Test(arguments: StoresUnderTest.present)
    func healingTakesTheClaimAgain(_ kind: any StoreUnderTest) async throws {
        try await StoreStage.with(kind, shared: true) { stage in
            let name = StoreStage.name()
            let register = try await stage.register(name)
            let mine = stage.claim(name, "a")
            let token = FencingToken(rawValue: try await stage.take(register, mine).counter)
            try await stage.server.deleteLock(name)
            #expect(try await register.renew(mine, token: token, term: 2, heal: false) == .lost(holder: nil))
            try await eventually("it heals, once a lock delay is over") {
                try await register.renew(mine, token: token, term: 2, heal: true) == .renewed
            }
            let seen = try await register.observe(name)
            #expect(seen.holder == mine.value && seen.term == 2)
        }
    }

    @Test(arguments: StoresUnderTest.present)
    func onlyTheOwnerReleases(_ kind: any StoreUnderTest) async throws {
        try await StoreStage.with(kind, shared: true) { stage in
            let name = StoreStage.name()
            let register = try await stage.register(name)
            let mine = stage.claim(name, "a")
            let other = stage.claim(name, "b")
            try await register.release(other, wake: true)
            _ = try await stage.take(register, mine)
            try await register.release(other, wake: true)
            #expect(try await register.observe(name).holder == mine.value)
            for _ in 0..<2 { try await register.release(mine, wake: true) }
            #expect(try await register.observe(name).holder == nil)
            _ = try await stage.take(register, other)
            try await register.release(mine, wake: true)
            #expect(try await register.observe(name).holder == other.value)
        }
    }

    @Test(arguments: StoresUnderTest.present)
    func theCounterGrowsWhateverEndsAClaim(_ kind: any StoreUnderTest) async throws {
        try await StoreStage.with(kind, shared: true) { stage in
            let name = StoreStage.name()
            let register = try await stage.register(name)
            var last: UInt64 = 0
            for round in 0..<6 {
                let mine = stage.claim(name, "a\(round)")
                let vote = try await stage.take(register, mine)
                #expect(vote.counter > last, "round \(round)")
                #expect(vote.term == UInt64(round))
                last = vote.counter
                let token = FencingToken(rawValue: last)
                #expect(try await register.confirm(mine, token: token, term: UInt64(round + 1)))
                switch round % 3 {
                case 0: try await register.release(mine, wake: false)
                case 1: try await stage.server.deleteLock(name)
                default: break  // It lapses; `take` waits for that.
                }
            }
        }
    }

    @Test(arguments: StoresUnderTest.present)
    func otherRulesAreNamedWhileTheClaimLives(_ kind: any StoreUnderTest) async throws {
        try await StoreStage.with(kind, shared: true) { stage in
            let name = StoreStage.name()
            let register = try await stage.register(name)
            let mine = stage.claim(name, "a", rules: "ttl=8s \"quoted\" %d")
            let other = stage.claim(name, "b", rules: "ttl=9s")
            _ = try await stage.take(register, mine)
            #expect(try await register.acquire(other) == .mismatch(rules: mine.rules))
            try await register.release(mine, wake: false)
            _ = try await stage.take(register, other)
            #expect(try await register.acquire(mine) == .mismatch(rules: other.rules))
        }
    }

    @Test(arguments: StoresUnderTest.present)
    func namesDoNotMeet(_ kind: any StoreUnderTest) async throws {
        try await StoreStage.with(kind, shared: true) { stage in
            let stem = StoreStage.name()
            let names = [
                stem, "\(stem)2", "\(stem)/", "\(stem)/lock", "\(stem) with space", "\(stem)%2F", "\(stem)?x=1&y",
                "\(stem)#f", "\(stem)'\"`;--", "\(stem)_", "\(stem)\\", "\(stem)-žluťoučký-🐎",
            ]
            var held: [(any LeaseRegister, Claim)] = []
            for name in names {
                let register = try await stage.register(name)
                let mine = stage.claim(name, "id with space/%'\"")
                _ = try await stage.take(register, mine)
                held.append((register, mine))
            }
            for (register, mine) in held {
                // If two names met in one lock, another claim would hold it.
                _ = try await stage.take(register, mine)
                #expect(try await register.observe(mine.name).holder == mine.value)
                try await register.release(mine, wake: false)
                #expect(try await register.observe(mine.name).holder == nil)
            }
        }
    }

    @Test(arguments: StoresUnderTest.present)
    func ofManyAtOnceOneIsGranted(_ kind: any StoreUnderTest) async throws {
        try await StoreStage.with(kind, shared: true) { stage in
            let name = StoreStage.name()
            let warm = try await stage.register(name)
            let probe = stage.claim(name, "probe")
            _ = try await stage.take(warm, probe)
            try await warm.release(probe, wake: false)
            var registers: [any LeaseRegister] = []
            for _ in 0..<8 { registers.append(try await stage.register(name)) }
            for _ in 0..<5 {
                let replies = try await withThrowingTaskGroup(of: (Claim, AcquireReply).self) { group in
                    for index in 0..<24 {
                        let mine = stage.claim(name, "c\(index)")
                        let register = registers[index % registers.count]
                        group.addTask { (mine, try await register.acquire(mine)) }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                let winners = replies.filter { if case .granted = $0.1 { true } else { false } }.map(\.0)
                #expect(winners.count == 1)
                let winner = try #require(winners.first)
                #expect(try await warm.observe(name).holder == winner.value)
                try await warm.release(winner, wake: false)
            }
        }
    }

    /// The article's etcd program left a lease and a stream behind at every attempt.
    @Test(arguments: StoresUnderTest.present)
    func lostAttemptsLeaveNothingOnTheServer(_ kind: any StoreUnderTest) async throws {
        try await StoreStage.with(kind) { stage in
            let name = StoreStage.name()
            let proxy = try await stage.proxy()
            let register = try await stage.register(name)
            let loser = try await stage.register(name, through: proxy)
            let before = try await stage.server.leases()
            try await stage.holding(register, stage.claim(name, "a")) {
                for index in 0..<60 {
                    guard case .held = try await loser.acquire(stage.claim(name, "b\(index)")) else {
                        Issue.record("attempt \(index) was not lost")
                        return
                    }
                    if index % 20 == 19, let before { #expect(try await stage.server.leases() == before + 1) }
                }
            }
            #expect(try await stage.server.leases() == before)
            #expect(try await proxy.openConnections <= 2)
            #expect(try await proxy.acceptedConnections <= 3)
        }
    }
}
