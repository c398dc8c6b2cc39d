import LeaderElection
import Testing

/// Whole electors over every store, with the faults of the table.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct ElectionConformanceTests {
    /// Row 19, and the hand-over: all lead in turn, one at a time.
    @Test(arguments: StoresUnderTest.present)
    func ofManyCandidatesOneLeadsAtATime(_ kind: any StoreUnderTest) async throws {
        try await StoreStage.with(kind, shared: true) { stage in
            let name = StoreStage.name()
            let chronicle = Chronicle()
            var replicas: [Replica] = []
            for index in 0..<8 { replicas.append(try await stage.replica("r\(index)", of: name, chronicle)) }
            let all = replicas
            try await stage.electing(all) {
                try await stage.stopInTurn(all)
            }
            #expect(chronicle.overlap == nil)
            #expect(Set(chronicle.leaders).count == 8)
            #expect(chronicle.tokensGrow)
        }
    }

    /// Row 17.
    @Test(arguments: StoresUnderTest.present)
    func anOperatorDeletesTheLock(_ kind: any StoreUnderTest) async throws {
        try await StoreStage.with(kind, shared: true) { stage in
            let name = StoreStage.name()
            let chronicle = Chronicle()
            let replica = try await stage.replica("a", of: name, chronicle)
            try await stage.electing([replica]) {
                _ = try await stage.leader(of: [replica])
                try await stage.server.deleteLock(name)
                try await eventually("it steps down and leads again") { chronicle.tokens.count == 2 }
            }
            #expect(replica.saw { if case .ended(_, .lost) = $0 { true } else { false } })
            #expect(chronicle.tokensGrow && chronicle.overlap == nil)
        }
    }

    /// Rows 5 and 9: from one moment on nothing of the leader reaches the server, as if it had been killed
    /// or cut off. It ends its term by itself, and only then another leads.
    @Test(arguments: StoresUnderTest.present)
    func aLeaderCutOffStepsDownBeforeTheNext(_ kind: any StoreUnderTest) async throws {
        try await StoreStage.with(kind, shared: true) { stage in
            let name = StoreStage.name()
            let chronicle = Chronicle()
            let proxy = try await stage.proxy()
            let first = try await stage.replica("a", of: name, chronicle, through: proxy)
            let second = try await stage.replica("b", of: name, chronicle)
            try await stage.electing([first]) {
                _ = try await stage.leader(of: [first])
                try await stage.electing([second]) {
                    try await eventually("it follows") { second.elector.state.leader == "a" }
                    try await proxy.set(.blackHole)
                    _ = try await stage.leader(of: [second])
                    try await proxy.set(.pass)
                    try await eventually("the first follows") { first.elector.state.leader == "b" }
                }
            }
            #expect(first.saw { if case .ended(_, .renewTimeout) = $0 { true } else { false } })
            #expect(chronicle.leaders.prefix(2) == ["a", "b"])
            #expect(chronicle.tokensGrow)
            #expect(chronicle.overlap == nil)
        }
    }

    /// Row 6: short troubles cost nothing.
    @Test(arguments: StoresUnderTest.present)
    func cutsShorterThanTheLeaseCostNothing(_ kind: any StoreUnderTest) async throws {
        try await StoreStage.with(kind, shared: true) { stage in
            let name = StoreStage.name()
            let chronicle = Chronicle()
            let proxy = try await stage.proxy()
            let replica = try await stage.replica("a", of: name, chronicle, through: proxy)
            try await stage.electing([replica]) {
                _ = try await stage.leader(of: [replica])
                for _ in 0..<5 {
                    try await proxy.cutAll()
                    try await Task.sleep(for: kind.lease / 4)
                    #expect(replica.elector.state.isLeader)
                }
            }
            #expect(chronicle.tokens.count == 1)
        }
    }

    /// The server stalls for longer than the lease, or dies: the term ends without it, and an election
    /// follows.
    @Test(arguments: StoresUnderTest.present, [false, true])
    func theServerStallsOrDies(_ kind: any StoreUnderTest, dies: Bool) async throws {
        try await StoreStage.with(kind) { stage in
            let name = StoreStage.name()
            let chronicle = Chronicle()
            let replicas = [
                try await stage.replica("a", of: name, chronicle), try await stage.replica("b", of: name, chronicle),
            ]
            try await stage.electing(replicas) {
                _ = try await stage.leader(of: replicas)
                if dies { await stage.server.kill() } else { await stage.server.pause() }
                // Until its term is over: in its last moment an answer may still come in time.
                try await eventually("the term has ended") {
                    chronicle.entries.contains { if case .ended = $0 { true } else { false } }
                }
                if dies { try await stage.server.restart() } else { await stage.server.resume() }
                // A replica leads a moment before its term is written down.
                try await eventually("another term begins") { chronicle.tokens.count >= 2 }
            }
            #expect(chronicle.tokens.count >= 2)
            #expect(chronicle.tokensGrow)
            #expect(chronicle.overlap == nil)
        }
    }

    /// Rows 2 and 4: every answer is slower than the elector counts on. It never leads, hangs nothing, and
    /// leaves no vote.
    @Test(arguments: StoresUnderTest.present)
    func answersThatAreAlwaysLateElectNobody(_ kind: any StoreUnderTest) async throws {
        try await StoreStage.with(kind, shared: true) { stage in
            let name = StoreStage.name()
            let chronicle = Chronicle()
            let proxy = try await stage.proxy()
            let late = try await stage.replica("a", of: name, chronicle, through: proxy)
            let register = try await stage.register(name)
            try await proxy.set(.delay(.milliseconds(700)))
            try await stage.electing([late]) {
                try await Task.sleep(for: .seconds(3))
                #expect(!late.elector.state.isLeader)
                try await proxy.set(.pass)
            }
            try await eventually("no vote is left") { try await register.observe(name).holder == nil }
            // Once the network was good again it may have led.
            #expect(chronicle.overlap == nil)
        }
    }

    /// Row 24.
    @Test(arguments: StoresUnderTest.present)
    func aBodyThatThrowsOrStopsItselfLeavesNothing(_ kind: any StoreUnderTest) async throws {
        struct Failure: Error {}
        try await StoreStage.with(kind, shared: true) { stage in
            let name = StoreStage.name()
            let proxy = try await stage.proxy()
            let replica = try await stage.replica("a", of: name, Chronicle(), through: proxy)
            let register = try await stage.register(name)
            let terms = Chronicle()
            try await replica.elector.run { term in
                terms.begin("a", term)
                guard terms.tokens.count > 1 else { throw Failure() }
                for _ in 0..<3 { replica.elector.stop() }
            }
            #expect(terms.tokens.count == 2 && terms.tokensGrow)
            #expect(try await register.observe(name).holder == nil)
            await replica.store.shutDown()
            try await eventually("no connection is left") { try await proxy.openConnections == 0 }
        }
    }

    /// A long run under faults that come and go: two claims never overlap, and it always heals.
    @Test(arguments: StoresUnderTest.present)
    func claimsNeverOverlapWhateverTheNetworkDoes(_ kind: any StoreUnderTest) async throws {
        try await StoreStage.with(kind, shared: true) { stage in
            let name = StoreStage.name()
            let chronicle = Chronicle()
            var proxies: [FaultProxy] = []
            var replicas: [Replica] = []
            for index in 0..<3 {
                let proxy = try await stage.proxy()
                proxies.append(proxy)
                replicas.append(try await stage.replica("r\(index)", of: name, chronicle, through: proxy))
            }
            let (all, lines) = (replicas, proxies)
            try await stage.electing(all) {
                try await stage.disturb(all, lines)
                _ = try await stage.leader(of: all)
            }
            #expect(chronicle.overlap == nil)
            #expect(chronicle.tokensGrow)
        }
    }
}
