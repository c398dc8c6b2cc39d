import LeaderElection
import Logging
import NIOCore
import NIOPosix
import Simulation
import Testing

private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// The elector on real clocks and threads, over registers in memory: row 24, and its public promises.
@Suite(.timeLimit(.minutes(5))) struct ElectorTests {
    private struct Trouble: Error {}

    private func elector(
        _ store: MemoryStore, _ id: String = "a", ttl: Duration = .seconds(8), drainLimit: Duration? = nil,
        onOverrun: (@Sendable (UInt64) -> Void)? = nil
    ) throws -> Elector {
        try Elector(
            store: store,
            configuration: .init(name: "test", id: id, leaseTTL: ttl, drainLimit: drainLimit, onOverrun: onOverrun),
            logger: quiet)
    }

    @Test func leadsStopsAndGivesTheLeaseBack() async throws {
        let store = MemoryStore(registers: 3)
        let elector = try elector(store)
        let changes = elector.leadership
        try await elector.run { term in
            #expect(term.lease.isValid)
            #expect(term.number == 1)
            #expect(term.lease.remaining > .zero)
            #expect(elector.state.isLeader && elector.state.leader == "a")
            elector.stop()
            elector.stop()
            await term.drainRequested()
            #expect(term.isDrainRequested)
            #expect(term.lease.isValid, "the lease is kept while the body drains")
        }
        #expect(store.memory.allSatisfy { $0.holder == nil })
        #expect(elector.state.role == .stopped && !elector.state.isLeader)
        var seen: [LeadershipChange] = []
        for await change in changes { seen.append(change) }
        guard case .leading(let term, let token) = seen.first else {
            Issue.record("it never led")
            return
        }
        #expect(seen == [.leading(term: term, token: token), .ended(term: term, .shutdown), .released, .stopped])
    }

    @Test func anElectorRunsOnce() async throws {
        let elector = try elector(MemoryStore(registers: 1))
        try await elector.run { _ in
            await #expect(throws: ElectionError.alreadyRun) { try await elector.run { _ in } }
            elector.stop()
        }
        await #expect(throws: ElectionError.alreadyRun) { try await elector.run { _ in } }
    }

    @Test(arguments: [0, 2, 4])
    func anEvenNumberOfRegistersIsRefused(count: Int) {
        #expect(throws: ElectionError.self) { try elector(MemoryStore(registers: count)) }
    }

    @Test func stoppedBeforeItRunsItReturns() async throws {
        let elector = try elector(MemoryStore(registers: 3))
        elector.stop()
        try await elector.run { _ in Issue.record("it led") }
    }

    @Test func aBodyThatThrowsIsRunAgainInALaterTerm() async throws {
        let store = MemoryStore(registers: 3)
        let elector = try elector(store, ttl: .seconds(2))
        let tokens = Recorder<[FencingToken]>([])
        try await elector.run { term in
            let terms = tokens.edit { tokens in
                tokens.append(term.token)
                return tokens.count
            }
            if terms < 3 { throw Trouble() }
            elector.stop()
        }
        let seen = tokens.value
        #expect(seen.count == 3 && seen == seen.sorted() && Set(seen).count == 3)
    }

    @Test func cancellationEndsTheTermAtOnceAndGivesTheLeaseBack() async throws {
        let store = MemoryStore(registers: 3)
        let elector = try elector(store)
        let wasCancelled = Recorder(false)
        let leading = AsyncStream.makeStream(of: Void.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await elector.run { term in
                    leading.continuation.finish()
                    await term.drainRequested()
                    wasCancelled.value = Task.isCancelled
                    #expect(!term.lease.isValid)
                }
            }
            for await _ in leading.stream {}
            group.cancelAll()
            try await group.waitForAll()
        }
        #expect(wasCancelled.value)
        #expect(store.memory.allSatisfy { $0.holder == nil })
    }

    @Test func aLostLeaseCancelsTheBody() async throws {
        let store = MemoryStore(registers: 3)
        let elector = try elector(store)
        let terms = Recorder(0)
        try await elector.run { term in
            let count = terms.edit { terms in
                terms += 1
                return terms
            }
            if count == 2 { return elector.stop() }
            for register in store.memory { register.edit { $0.lock = nil } }
            elector.wakeUp()
            await term.drainRequested()
            #expect(!term.lease.isValid)
            #expect(throws: LeaseLapsed.self) { try term.lease.check() }
        }
        #expect(terms.value == 2)
    }

    @Test func aBodyThatIgnoresItsCancellationIsTold() async throws {
        let store = MemoryStore(registers: 1)
        let overrun = AsyncStream.makeStream(of: UInt64.self)
        let elector = try elector(
            store, ttl: .milliseconds(500), onOverrun: { term in overrun.continuation.yield(term) })
        await #expect(throws: ElectionError.bodyOverran(term: 1)) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await elector.run { _ in
                        store.memory[0].hang()
                        // Deaf to cancellation until the overrun was reported.
                        await withCheckedContinuation { goOn in
                            Task {
                                for await _ in overrun.stream { break }
                                goOn.resume()
                            }
                        }
                        store.memory[0].hang(false)
                        elector.stop()
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func registersThatNeverAnswerHangNothing() async throws {
        let store = MemoryStore(registers: 3)
        for register in store.memory { register.hang() }
        let elector = try elector(store, ttl: .milliseconds(500))
        let changes = elector.leadership
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await elector.run { _ in Issue.record("it led") } }
            group.addTask { elector.stop() }
            try await group.waitForAll()
        }
        for await change in changes { #expect(change == .stopped) }
    }

    @Test func aReleaseWakesTheFollower() async throws {
        let store = MemoryStore(registers: 3)
        let first = try elector(store, "a", ttl: .seconds(600))
        let second = try elector(store, "b", ttl: .seconds(600))
        let firstChanges = first.leadership
        let changes = second.leadership
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await first.run { await $0.drainRequested() } }
            for await change in firstChanges { if case .leading = change { break } }
            group.addTask { try await second.run { _ in second.stop() } }
            for await change in changes where change == .following(leader: "a") { break }
            // Without the wake-up the second would wait for ten minutes, and the test fail by its time limit.
            first.stop()
            try await group.waitForAll()
        }
    }

    @Test func itRunsOnALoopThatIsHandedIn() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let elector = try Elector(
            store: MemoryStore(registers: 1), configuration: .init(name: "test"), logger: quiet,
            eventLoop: group.next())
        try await elector.run { _ in elector.stop() }
        try await group.shutdownGracefully()
    }
}
