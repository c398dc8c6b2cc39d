import LeaderElection
import Logging
import NIOPosix
import Synchronization
import Testing
import ThrowawayRedis
import Timing

@testable import Lapse
@testable import RedisClient

/// Between a dispatcher and a batch handler.
@Suite(.timeLimit(.minutes(1)))
struct BatchLaneTests {
    private struct Refused: Error {}

    private static let loops = MultiThreadedEventLoopGroup.singleton
    private let nodes = (1...2).map { NodeAddress(host: "10.0.0.\($0)", port: 6379) }
    private let logs = LogSet(limitBytes: 1 << 20, limitAge: .seconds(60))

    private func dispatcher() -> Dispatcher {
        let dispatcher = Dispatcher(
            logs: logs, filter: KeyFilter(match: [], ignore: [], databases: [0]), lanes: 3, order: .ofNodes,
            bell: Doorbell(on: Self.loops.next()),
            listeners: .init(hole: { _ in }, ignored: { _, _ in }, doubtful: { _ in }))
        for node in nodes { dispatcher.update { $0.note(.oneMaster(at: node)) } }
        return dispatcher
    }

    private func term(_ lease: Lease) -> Term {
        let claim = Claim(name: "test", id: "test", value: "test:1", ttl: .seconds(8), rules: "")
        return Term(number: 1, token: FencingToken(rawValue: 1), lease: lease, claim: claim)
    }

    private func serve(
        _ dispatcher: Dispatcher, lanes: Int = 1, retries: Int = 0, timeout: Duration = .seconds(30),
        lease: Lease = Lease(until: SystemClock.read().advanced(by: .seconds(60))), isCareful: Bool = false,
        _ handler: @escaping BatchHandler
    ) -> Task<Void, Never> {
        var dependencies = Lane.Dependencies(
            dispatcher: dispatcher, timeout: timeout,
            logger: Logger(label: "silent") { _ in SwiftLogNoOpLogHandler() },
            clock: Self.loops.next(), handler: { _, _ in })
        dependencies.retries = RetryPolicy(retries: retries, first: .milliseconds(1), cap: .milliseconds(1))
        let care = CarefulHandling(
            Suspects(token: 1), bell: Doorbell(on: Self.loops.next()), note: { _ in }, close: { _ in }, pause: { true })
        if isCareful { dependencies.care = care }
        let lane = BatchLane(handler, dependencies: dependencies, term: term(lease))
        dispatcher.lead(token: FencingToken(rawValue: 1), progress: [:], now: 0)
        return Task {
            // It writes the notes for as long as the lanes run.
            let noting = Task { await care.run() }
            await withDiscardingTaskGroup { group in
                for _ in 0..<lanes { group.addTask { await lane.serve() } }
            }
            noting.cancel()
            await noting.value
        }
    }

    /// Of one node.
    private func waitUntilHandled(through ordinal: UInt64, by dispatcher: Dispatcher) async throws {
        try await waitUntil("all are handled", within: .seconds(20), every: .milliseconds(1)) {
            _ = dispatcher.watch(now: SystemClock.read().monotonic)
            return dispatcher.inspect { $0.progress() }.first?.cursor == Cursor(through: ordinal) ? nil : "not yet"
        }
    }

    @Test func aBatchHoldsOneNodesExpirationsInTheirOrderAndAKeyTwice() async throws {
        logs.log(of: "run", at: nodes[0]).hear(["a", "b", "a", "c"])
        let dispatcher = dispatcher()
        let batches = Mutex<[[String]]>([])
        let serving = serve(dispatcher) { batch, _ in
            batches.withLock { $0.append(batch.map { "\($0.key)" }) }
            return .handled
        }
        try await waitUntil("all are handled", within: .seconds(20), every: .milliseconds(1)) {
            dispatcher.inspect { $0.progress() }.first?.cursor == Cursor(through: 4) ? nil : "not yet"
        }
        #expect(batches.withLock { $0 } == [["a", "b", "a", "c"]])
        dispatcher.stopHandingOut()
        await serving.value
    }

    @Test func whatFailsIsTriedAgainAloneAndHoldsUpOnlyItsKey() async throws {
        logs.log(of: "run", at: nodes[0]).hear(["a", "b", "c"])
        let dispatcher = dispatcher()
        let calls = Mutex<[[String]]>([])
        let serving = serve(dispatcher, retries: 3) { batch, _ in
            let isFirst = calls.withLock { calls in
                calls.append(batch.indices.map { "\(batch[$0].key)\(batch.attempt(at: $0))" })
                return calls.count == 1
            }
            var result = BatchResult()
            if isFirst { result.fail(1, Refused()) }
            return result
        }
        try await waitUntilHandled(through: 3, by: dispatcher)
        #expect(calls.withLock { $0 } == [["a1", "b1", "c1"], ["b2"]])
        dispatcher.stopHandingOut()
        await serving.value
    }

    @Test("a result that names what the batch does not have loses nothing: all of it is tried again")
    func aResultBeyondTheBatch() async throws {
        logs.log(of: "run", at: nodes[0]).hear(["a", "b"])
        let dispatcher = dispatcher()
        let calls = Mutex<[[String]]>([])
        let serving = serve(dispatcher, retries: 3) { batch, _ in
            let isFirst = calls.withLock { calls in
                calls.append(batch.map { "\($0.key)" })
                return calls.count == 1
            }
            var result = BatchResult()
            if isFirst { result.fail(2, Refused()) }
            return result
        }
        try await waitUntilHandled(through: 2, by: dispatcher)
        #expect(calls.withLock { $0.sorted { $0.count > $1.count } }.first == ["a", "b"])
        #expect(Set(calls.withLock { $0.dropFirst() }) == [["a"], ["b"]])
        dispatcher.stopHandingOut()
        await serving.value
    }

    private struct Away: Error, AdvisesOnAttempts {
        var anotherAttempt: AnotherAttempt { .whenPossible(after: .milliseconds(1), others: false) }
    }

    @Test("while nothing can be handled a batch keeps its turn and its order, and no attempt is counted")
    func allIsAway() async throws {
        logs.log(of: "run", at: nodes[0]).hear(["a", "b", "a"])
        let dispatcher = dispatcher()
        let calls = Mutex<[[String]]>([])
        let serving = serve(dispatcher) { batch, _ in
            let count = calls.withLock { calls in
                calls.append(batch.indices.map { "\(batch[$0].ordinal)\(batch[$0].key)\(batch.attempt(at: $0))" })
                return calls.count
            }
            if count < 4 { throw Away() }
            return .handled
        }
        try await waitUntil("all are handled", within: .seconds(20), every: .milliseconds(1)) {
            dispatcher.inspect { $0.progress() }.first?.cursor == Cursor(through: 3) ? nil : "not yet"
        }
        #expect(calls.withLock { $0 } == Array(repeating: ["1a1", "2b1", "3a1"], count: 4))
        dispatcher.stopHandingOut()
        await serving.value
    }

    @Test(
        "a batch that takes too long costs those an attempt that were tried; all of them only where none was",
        arguments: [true, false])
    func overrunInPart(isOneTried: Bool) async throws {
        logs.log(of: "run", at: nodes[0]).hear(["a", "b", "c"])
        let dispatcher = dispatcher()
        let calls = Mutex<[String]>([])
        let serving = serve(dispatcher, retries: 3, timeout: .milliseconds(50)) { batch, _ in
            let isFirst = calls.withLock { calls in
                defer { calls += batch.indices.map { "\(batch[$0].key)\(batch.attempt(at: $0))" } }
                return calls.isEmpty
            }
            guard isFirst else { return .handled }
            // Until it is cancelled.
            await Gate().wait()
            var result = BatchResult(handledUpTo: 0, of: batch.count, error: Away())
            if isOneTried { result.fail(0, CancellationError()) }
            return result
        }
        try await waitUntilHandled(through: 3, by: dispatcher)
        #expect(calls.withLock { $0.prefix(3) } == ["a1", "b1", "c1"])
        #expect(calls.withLock { $0.dropFirst(3).sorted() } == (isOneTried ? ["a2", "b1", "c1"] : ["a2", "b2", "c2"]))
        dispatcher.stopHandingOut()
        await serving.value
    }

    private struct PartlyAway: Error, AdvisesOnAttempts {
        var anotherAttempt: AnotherAttempt { .whenPossible(after: .milliseconds(1), others: true) }
    }

    @Test(
        "a careful leader lets none overtake an earlier one of its key in a batch, whether that failed or waits",
        arguments: [false, true])
    func carefulOrder(isAway: Bool) async throws {
        logs.log(of: "run", at: nodes[0]).hear(["a", "b", "a", "c", "a"])
        let dispatcher = dispatcher()
        let calls = Mutex<[UInt64]>([])
        let serving = serve(dispatcher, retries: 3, isCareful: true) { batch, _ in
            let isFirst = calls.withLock { calls in
                calls += batch.map(\.ordinal)
                return calls.count == 1
            }
            if isFirst, isAway { throw PartlyAway() }
            if isFirst { throw Refused() }
            return .handled
        }
        try await waitUntilHandled(through: 5, by: dispatcher)
        #expect(calls.withLock { $0 } == [1, 2, 4, 1, 3, 5])
        dispatcher.stopHandingOut()
        await serving.value
    }

    @Test("a careful leader whose lease lapses within a batch keeps the order of the rest")
    func carefulLease() async throws {
        logs.log(of: "run", at: nodes[0]).hear(["a", "b", "c", "d"])
        let dispatcher = dispatcher()
        let lease = Lease(until: SystemClock.read().advanced(by: .seconds(60)))
        let serving = serve(dispatcher, lease: lease, isCareful: true) { _, _ in
            lease.end()
            return .handled
        }
        try await waitUntil("the rest is put down", within: .seconds(20), every: .milliseconds(1)) {
            dispatcher.inspect { $0.readyCount == 3 ? nil : "not yet" }
        }
        dispatcher.stopHandingOut()
        await serving.value
        let rest = dispatcher.inspect { machine in
            machine.turns.next(nil).map { turn in machine.turns.take(turn, 10).list.map(\.ordinal) }
        }
        #expect(rest == [2, 3, 4])
    }

    @Test("row 7: stopped for longer than the lease in the middle of a batch: what had no effect is the next leader's")
    func aLeaseThatRunsOutInABatch() async throws {
        logs.log(of: "run", at: nodes[0]).hear(["a", "b", "c"])
        let dispatcher = dispatcher()
        let lease = Lease(until: SystemClock.read().advanced(by: .seconds(60)))
        let effects = Mutex<[String]>([])
        let serving = serve(dispatcher, retries: 3, lease: lease) { batch, context in
            for (index, expiration) in batch.enumerated() {
                guard context.isLeading else {
                    return BatchResult(handledUpTo: index, of: batch.count, error: CancellationError())
                }
                effects.withLock { $0.append("\(expiration.key)") }
                if index == 0 { lease.end() }
            }
            return .handled
        }
        try await waitUntil("the rest waits", within: .seconds(20), every: .milliseconds(1)) {
            dispatcher.inspect { $0.progress() }.first?.cursor == Cursor(through: 3, pending: [2, 3]) ? nil : "not yet"
        }
        #expect(effects.withLock { $0 } == ["a"])
        dispatcher.stopHandingOut()
        await serving.value
    }

    /// Each owns one half of the slots: the second one that of `{a}`.
    private var twoMasters: TopologyPoll {
        let masters = nodes.map { Topology.Node(id: "\($0)", address: $0, role: .master) }
        let owners = (0..<Topology.slotCount).map { "\(nodes[$0 < Topology.slotCount / 2 ? 0 : 1])" }
        var poll = TopologyPoll(
            topology: Topology(cluster: masters, owner: owners),
            ownWord: [nodes[0]: .master, nodes[1]: .master])
        poll.number = 2
        return poll
    }

    @Test("a call that hangs holds up its own node and no other; a node has one call at a time")
    func oneCallForEachNode() async throws {
        let held = logs.log(of: "run-0", at: nodes[0])
        held.hear(["{b}"])
        let other = logs.log(of: "run-1", at: nodes[1])
        other.hear(["{a}"])
        let dispatcher = dispatcher()
        dispatcher.update { $0.note(twoMasters) }
        let running = Mutex<[String: Int]>([:])
        let most = Mutex(0)
        let stuck = Doorbell(on: Self.loops.next())
        let serving = serve(dispatcher, lanes: 3) { batch, _ in
            let atOnce = running.withLock { running in
                running[batch[0].runID, default: 0] += 1
                return running[batch[0].runID] ?? 0
            }
            most.withLock { $0 = max($0, atOnce) }
            if batch[0].runID == "run-0" { _ = await stuck.wait(upTo: .seconds(60)) }
            running.withLock { $0[batch[0].runID]? -= 1 }
            return .handled
        }
        func isHandled(_ runID: String, _ last: UInt64) -> Bool {
            dispatcher.inspect { $0.progress() }.contains { $0.runID == runID && $0.cursor == Cursor(through: last) }
        }
        for round in 1...50 {
            other.hearMore(["{a}\(round)"])
            dispatcher.appended()
            held.hearMore(["{b}\(round)"])
            dispatcher.appended()
        }
        try await waitUntil("the other node's are handled", within: .seconds(20), every: .milliseconds(1)) {
            isHandled("run-1", 51) ? nil : "not yet"
        }
        #expect(!isHandled("run-0", 1))
        try await waitUntil("all are handled", within: .seconds(20), every: .milliseconds(1)) {
            stuck.ring()
            return isHandled("run-0", 51) ? nil : "not yet"
        }
        #expect(most.withLock { $0 } == 1)
        dispatcher.stopHandingOut()
        await serving.value
    }
}
