import LeaderElection
import Testing

/// What every register must do when messages are lost, late, or the server is gone.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct RegisterFaultConformanceTests {
    /// Row 3, exhaustively: an operation may exchange several messages with the server. Its connection is
    /// cut in the place of each of its replies, one after the other, until it needs no more; a retry must
    /// find things in order.
    @Test(arguments: StoresUnderTest.present)
    func aReplyIsCutOffOnAcquire(_ kind: any StoreUnderTest) async throws {
        try await everyCut(kind) { stage, name, register, cut in
            let mine = stage.claim(name, "a")
            let first = try? await cut { try await register.acquire(mine) }
            let vote = try await stage.take(register, mine)
            if case .granted(let before) = first { #expect(before == vote) }
            let seen = try await register.observe(name)
            #expect(seen.holder == mine.value)
            guard case .held(let holder, _) = try await register.acquire(stage.claim(name, "b")) else {
                Issue.record("two hold it")
                return
            }
            #expect(holder == mine.value)
            try await register.release(mine, wake: false)
            #expect(try await register.observe(name).holder == nil)
        }
    }

    @Test(arguments: StoresUnderTest.present)
    func aReplyIsCutOffOnConfirmAndRenew(_ kind: any StoreUnderTest) async throws {
        try await everyCut(kind) { stage, name, register, cut in
            let mine = stage.claim(name, "a")
            let token = FencingToken(rawValue: try await stage.take(register, mine).counter)
            let before = try await register.observe(name).term
            let first = try? await cut { try await register.confirm(mine, token: token, term: before + 1) }
            if let first { #expect(first) }
            #expect(try await register.confirm(mine, token: token, term: before + 1))
            #expect(try await register.observe(name).term == before + 1)
            try await register.release(mine, wake: false)
        }
        try await everyCut(kind) { stage, name, register, cut in
            let mine = stage.claim(name, "a")
            let token = FencingToken(rawValue: try await stage.take(register, mine).counter)
            let before = try await register.observe(name).term
            let first = try? await cut {
                try await register.renew(mine, token: token, term: before + 1, heal: false)
            }
            if let first { #expect(first == .renewed) }
            #expect(try await register.renew(mine, token: token, term: before + 1, heal: false) == .renewed)
            #expect(try await register.observe(name).term == before + 1)
            try await register.release(mine, wake: false)
        }
    }

    @Test(arguments: StoresUnderTest.present)
    func aReplyIsCutOffOnRelease(_ kind: any StoreUnderTest) async throws {
        try await everyCut(kind) { stage, name, register, cut in
            let mine = stage.claim(name, "a")
            _ = try await stage.take(register, mine)
            try? await cut { try await register.release(mine, wake: true) }
            // Whether it was done or not: the next is elected, at the latest when the lease has run out.
            let next = stage.claim(name, "b")
            _ = try await stage.take(register, next)
            try await register.release(mine, wake: true)
            #expect(try await register.observe(name).holder == next.value)
            try await register.release(next, wake: false)
        }
    }

    typealias Cut<Reply> = (() async throws -> Reply) async throws -> Reply

    /// Runs `round` with the connection cut in the place of the operation's first reply, its second, …
    /// until a round saw no cut.
    private func everyCut(
        _ kind: any StoreUnderTest,
        _ round: (StoreStage, String, any LeaseRegister, Cutter) async throws -> Void
    ) async throws {
        try await StoreStage.with(kind, shared: true) { stage in
            let proxy = try await stage.proxy()
            let name = StoreStage.name()
            let register = try await stage.register(name, through: proxy)
            _ = try await register.observe(name)
            for replies in 0..<20 {
                let before = try await proxy.cuts
                try await round(stage, name, register, Cutter(proxy: proxy, replies: replies))
                if try await proxy.cuts == before {
                    #expect(replies > 0, "not one cut: nothing was tested")
                    return
                }
            }
            Issue.record("no operation needs so many messages")
        }
    }

    /// Cuts the connection after so many replies of what it is called with.
    struct Cutter: Sendable {
        let proxy: FaultProxy
        let replies: Int

        func callAsFunction<Reply: Sendable>(_ work: () async throws -> Reply) async throws -> Reply {
            try await proxy.set(.cut(afterReplies: replies))
            let outcome: Result<Reply, any Error>
            do { outcome = .success(try await work()) } catch { outcome = .failure(error) }
            try await proxy.set(.pass)
            return try outcome.get()
        }
    }

    /// Rows 2 and 5: nothing is answered. A cancelled operation returns, and the register works when the
    /// network does.
    @Test(arguments: StoresUnderTest.present)
    func aCancelledOperationReturnsFromABlackHole(_ kind: any StoreUnderTest) async throws {
        try await StoreStage.with(kind, shared: true) { stage in
            let proxy = try await stage.proxy()
            let name = StoreStage.name()
            let register = try await stage.register(name, through: proxy)
            let mine = stage.claim(name, "a")
            let token = FencingToken(rawValue: try await stage.take(register, mine).counter)
            try await proxy.set(.blackHole)
            let operations: [@Sendable () async throws -> Void] = [
                { _ = try await register.acquire(mine) },
                { _ = try await register.confirm(mine, token: token, term: 1) },
                { _ = try await register.renew(mine, token: token, term: 1, heal: false) },
                { try await register.release(mine, wake: true) },
                { _ = try await register.observe(name) },
            ]
            for operation in operations {
                await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await operation() }
                    group.cancelAll()
                    let outcome = await group.nextResult()
                    #expect(throws: RegisterError.self) { try outcome?.get() }
                }
            }
            try await proxy.set(.pass)
            let next = stage.claim(name, "b")
            _ = try await stage.take(register, next)
        }
    }

    /// Row 2: the answer comes too late to be counted; the vote was given, and is given back.
    @Test(arguments: StoresUnderTest.present)
    func aLateVoteIsGivenBack(_ kind: any StoreUnderTest) async throws {
        try await StoreStage.with(kind, shared: true) { stage in
            let proxy = try await stage.proxy()
            let name = StoreStage.name()
            let register = try await stage.register(name, through: proxy)
            let direct = try await stage.register(name)
            _ = try await register.observe(name)
            try await proxy.set(.delay(.milliseconds(150)))
            let mine = stage.claim(name, "a")
            _ = try await stage.take(register, mine)
            #expect(try await direct.observe(name).holder == mine.value)
            try await register.release(mine, wake: true)
            #expect(try await direct.observe(name).holder == nil)
        }
    }

    @Test(arguments: StoresUnderTest.present)
    func aDeadServerIsAnErrorAndComesBack(_ kind: any StoreUnderTest) async throws {
        try await StoreStage.with(kind) { stage in
            let name = StoreStage.name()
            let register = try await stage.register(name)
            let mine = stage.claim(name, "a")
            let vote = try await stage.take(register, mine)
            let token = FencingToken(rawValue: vote.counter)
            #expect(try await register.confirm(mine, token: token, term: 3))
            await stage.server.kill()
            await #expect(throws: RegisterError.self) { _ = try await register.acquire(mine) }
            await #expect(throws: RegisterError.self) {
                _ = try await register.renew(mine, token: token, term: 3, heal: false)
            }
            try await stage.server.restart()
            let next = try await stage.take(register, stage.claim(name, "b"))
            #expect(next.counter > vote.counter)
            if kind.survivesRestart { #expect(next.term == 3) }
        }
    }

    @Test(arguments: StoresUnderTest.present)
    func aStalledServerGivesNoVoteAndRecovers(_ kind: any StoreUnderTest) async throws {
        try await StoreStage.with(kind) { stage in
            let name = StoreStage.name()
            let register = try await stage.register(name)
            let mine = stage.claim(name, "a")
            let vote = try await stage.take(register, mine)
            await stage.server.pause()
            await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { _ = try await register.acquire(stage.claim(name, "b")) }
                group.addTask { try await Task.sleep(for: .milliseconds(300)) }
                _ = await group.nextResult()
                group.cancelAll()
            }
            await stage.server.resume()
            let next = try await stage.take(register, stage.claim(name, "c"))
            #expect(next.counter > vote.counter)
        }
    }
}
