import LeaderElection
import NIOCore
import NIOPosix
import Synchronization
import Testing
import ThrowawayRedis
import Timing

@testable import Lapse
@testable import RESP
@testable import RedisClient

/// The dispatcher between a log and its lanes.
@Suite(.timeLimit(.minutes(1)))
struct DispatcherTests {
    private static let loops = MultiThreadedEventLoopGroup.singleton
    private let address = NodeAddress(host: "10.0.0.1", port: 6379)

    /// Three lanes over the logs of a book.
    private func dispatcher(
        _ logs: LogSet, hole: @escaping @Sendable (Repairer.Hole) -> Void = { _ in }
    ) -> Dispatcher {
        let dispatcher = Dispatcher(
            logs: logs, filter: KeyFilter(match: [], ignore: [], databases: [0]), lanes: 3,
            bell: Doorbell(on: Self.loops.next()),
            listeners: .init(hole: hole, ignored: { _, _ in }, doubtful: { _ in }))
        dispatcher.update { $0.note(.oneMaster(at: address)) }
        return dispatcher
    }

    @Test("many retries that fall due at once occupy every lane, not one after the other")
    func dueRetriesWakeEveryLane() async throws {
        let logs = LogSet(limitBytes: 1 << 20, limitAge: .seconds(60))
        let log = logs.log(of: "run", at: address)
        log.hear(["a", "b", "c"])
        let dispatcher = dispatcher(logs)
        dispatcher.lead(token: FencingToken(rawValue: 1), progress: [:], now: 0)
        var taken: [Delivery] = []
        while taken.count < 3 { taken += try #require(await dispatcher.next(0, .slow)).deliveries }
        for delivery in taken { dispatcher.handBack { $0.retry(delivery, at: .seconds(1)) } }

        // Lanes whose handlers do not end: each takes once.
        let lanes = (0..<3).map { lane in Task { await dispatcher.next(lane, .quick) } }
        try await waitUntil("every lane waits", within: .seconds(20), every: .milliseconds(1)) {
            dispatcher.idleLanes == 3 ? nil : "\(dispatcher.idleLanes) do"
        }
        _ = dispatcher.watch(now: .seconds(2))
        try await waitUntil("every lane has taken one", within: .seconds(20), every: .milliseconds(1)) {
            dispatcher.inFlight == 3 && dispatcher.idleLanes == 0 ? nil : "\(dispatcher.inFlight) have"
        }
        var begun: Set<UInt64> = []
        for lane in lanes {
            let batch = try #require(await lane.value)
            let index = try #require(batch.begin(), "each finds one to begin, in its own batch or in another's")
            begun.insert(batch.deliveries[index].ordinal)
        }
        #expect(begun == [1, 2, 3])
        dispatcher.stopHandingOut()
    }
}

extension DispatcherTests {
    @Test("what lies between two pending ones was finished: one question spans it, and it does not count as lost")
    func onlyPendingOnesAreLost() async throws {
        let logs = LogSet(limitBytes: 1 << 20, limitAge: .seconds(60))
        logs.log(of: "run", at: address).hear(["a", "b", "c"])
        let (holes, heard) = AsyncStream.makeStream(of: Repairer.Hole.self)
        let dispatcher = dispatcher(logs) { heard.yield($0) }
        let progress = Progress(
            runID: "run", node: "\(address)", base: 0, cursor: Cursor(through: 14, pending: [10, 11, 13]), token: 1,
            write: 1)
        dispatcher.lead(token: FencingToken(rawValue: 2), progress: ["run": progress], now: 0)
        let lane = Task { await dispatcher.next(0, .slow) }
        let first = await holes.first { _ in true }
        let hole = try #require(first)
        #expect(hole.ordinals == 10...13 && hole.pending == [10, 11, 13])
        #expect(dispatcher.update { $0.settle(hole, .answered) } == 3)
        dispatcher.stopHandingOut()
        _ = await lane.value
    }
}

extension DispatcherTests {
    private func leading(_ keys: [String]) -> Dispatcher {
        let logs = LogSet(limitBytes: 1 << 20, limitAge: .seconds(60))
        logs.log(of: "run", at: address).hear(keys)
        let dispatcher = dispatcher(logs)
        dispatcher.lead(token: FencingToken(rawValue: 1), progress: [:], now: 0)
        return dispatcher
    }

    @Test("what a batch has finished is in the progress at every look, though nobody has reported it")
    func finishedOnesCountAtOnce() async throws {
        let dispatcher = leading(["a", "b", "c"])
        let batch = try #require(await dispatcher.next(0, .quick))
        #expect(batch.deliveries.count == 3)
        for expected in [[2, 3], [3], []] as [[UInt64]] {
            let index = try #require(batch.begin())
            dispatcher.finished(index, of: batch)
            #expect(dispatcher.inspect { $0.progress() }.first?.cursor.pending.sorted == expected)
            #expect(dispatcher.inspect { $0.accounts() }.allSatisfy { $0.account.imbalance == 0 })
        }
        #expect(dispatcher.inFlight == 0)
    }

    @Test(
        "the next one of a key is ready as soon as the one before is finished, though the lane goes on with its batch")
    func aKeyThatIsAwaitedGoesOn() async throws {
        let dispatcher = leading(["a", "b", "a"])
        let batch = try #require(await dispatcher.next(0, .quick))
        #expect(batch.deliveries.map(\.ordinal) == [1, 2])
        // Both are begun before there is another lane: it would help itself to the second.
        let first = try #require(batch.begin())
        let second = try #require(batch.begin())
        let other = Task { await dispatcher.next(1, .quick) }
        try await waitUntil("the other lane waits", within: .seconds(20), every: .milliseconds(1)) {
            dispatcher.idleLanes == 1 ? nil : "it does not"
        }
        dispatcher.finished(first, of: batch)
        #expect(await other.value?.deliveries.map(\.ordinal) == [3])
        dispatcher.finished(second, of: batch)
        dispatcher.stopHandingOut()
    }

    @Test("a lane that puts down its batch gives back what nobody has begun, and the drain waits for the rest")
    func whatIsPutDownIsPendingAgain() async throws {
        let dispatcher = leading(["a", "b", "c"])
        let batch = try #require(await dispatcher.next(0, .quick))
        let index = try #require(batch.begin())
        dispatcher.stopHandingOut()
        dispatcher.putDown(0)
        #expect(batch.begin() == nil)
        #expect(dispatcher.inFlight == 1)
        dispatcher.handBack { $0.finish(batch.deliveries[index]) }
        await dispatcher.drained()
        #expect(dispatcher.inspect { $0.progress() }.first?.cursor.pending.sorted == [2, 3])
    }
}

extension DispatcherTests {
    private static let fleeting = Pace(after: 500)

    /// A lane whose handlers end at once has a full batch in hand, and more is to be had.
    private func soloist() async throws -> (Dispatcher, Batch) {
        let dispatcher = leading((0..<1000).map { "key\($0)" })
        let batch = try #require(await dispatcher.next(0, Self.fleeting))
        #expect(batch.deliveries.count == Batch.limit)
        return (dispatcher, batch)
    }

    private func untilWaiting(_ lanes: Int, _ dispatcher: Dispatcher) async throws {
        try await waitUntil("\(lanes) lanes wait", within: .seconds(20), every: .milliseconds(1)) {
            dispatcher.idleLanes == lanes ? nil : "\(dispatcher.idleLanes) do"
        }
    }

    @Test("a lane as quick rests while another deliveries alone, and takes its turn when that one does not come back")
    func whoeverDoesNotComeBackIsHelped() async throws {
        let (dispatcher, batch) = try await soloist()
        let other = Task { await dispatcher.next(1, Self.fleeting) }
        try await untilWaiting(1, dispatcher)
        dispatcher.appended()
        #expect(dispatcher.idleLanes == 1, "what comes in meanwhile wakes nobody")
        #expect(dispatcher.watch(now: .seconds(1)) == .seconds(1) + Soloist.patience)
        #expect(dispatcher.idleLanes == 1)
        #expect(dispatcher.watch(now: .seconds(2)) == nil)
        let help = try #require(await other.value)
        #expect(help !== batch && help.deliveries.first?.ordinal == 65)
        dispatcher.stopHandingOut()
    }

    @Test("a lane that takes its time does not wait for the one that deliveries alone")
    func aSlowLaneTakesOne() async throws {
        let (dispatcher, _) = try await soloist()
        #expect(await dispatcher.next(1, .slow)?.deliveries.map(\.ordinal) == [65])
        dispatcher.stopHandingOut()
    }

    @Test("a lane that puts its batch down deliveries alone no longer: another begins with the rest")
    func whatIsPutDownIsTakenByAnother() async throws {
        let (dispatcher, batch) = try await soloist()
        let other = Task { await dispatcher.next(1, Self.fleeting) }
        try await untilWaiting(1, dispatcher)
        _ = batch.begin()
        dispatcher.putDown(0)
        #expect(await other.value?.deliveries.first?.ordinal == 2)
        dispatcher.stopHandingOut()
    }

    @Test("who deliveries alone comes back, and finds everything that came in meanwhile")
    func theSoloistGoesOn() async throws {
        let (dispatcher, first) = try await soloist()
        var batch = first
        var handled = 0
        while true {
            while let index = batch.begin() {
                dispatcher.finished(index, of: batch)
                handled += 1
            }
            guard handled < 1000 else { break }
            _ = dispatcher.watch(now: .seconds(1))
            batch = try #require(await dispatcher.next(0, Self.fleeting))
        }
        #expect(dispatcher.inspect { $0.progress() }.first?.cursor == Cursor(through: 1000))
        dispatcher.stopHandingOut()
    }
}

extension DispatcherTests {
    @Test("the one before it of its key ends while a lane that has found nothing is about to wait")
    func aKeyComesFreeBeforeALaneWaits() async throws {
        let logs = LogSet(limitBytes: 1 << 20, limitAge: .seconds(60))
        let log = logs.log(of: "run", at: address)
        // Called with nothing locked, between the look and the wait.
        let meanwhile = Mutex<(@Sendable () -> Void)?>(nil)
        let dispatcher = Dispatcher(
            logs: logs, filter: KeyFilter(match: [], ignore: ["ignored"], databases: [0]), lanes: 2,
            bell: Doorbell(on: Self.loops.next()),
            listeners: .init(
                hole: { _ in }, ignored: { _, _ in meanwhile.withLock { $0 }?() }, doubtful: { _ in }))
        dispatcher.update { $0.note(.oneMaster(at: address)) }
        log.hear(["key"])
        dispatcher.lead(token: FencingToken(rawValue: 1), progress: [:], now: 0)
        let batch = try #require(await dispatcher.next(0, .slow))
        let index = try #require(batch.begin())
        meanwhile.withLock {
            $0 = {
                log.hearMore(["key"])
                dispatcher.finished(index, of: batch)
            }
        }
        log.hearMore(["ignored"])
        #expect(await dispatcher.next(1, .slow)?.deliveries.map(\.ordinal) == [3])
        dispatcher.stopHandingOut()
    }

    @Test("what comes in while a lane is on its way to take the only one that is ready wakes another")
    func bothLanesAreNeeded() async throws {
        let logs = LogSet(limitBytes: 1 << 20, limitAge: .seconds(60))
        let log = logs.log(of: "run", at: address)
        let dispatcher = dispatcher(logs)
        log.hear(["a"])
        dispatcher.lead(token: FencingToken(rawValue: 1), progress: [:], now: 0)
        let delivery = try #require(await dispatcher.next(0, .slow)?.deliveries.first)
        let loop = Self.loops.next()
        let lanes = [1, 2].map { lane in
            Task(executorPreference: EventLoopTaskExecutor(loop)) { await dispatcher.next(lane, .slow) }
        }
        try await untilWaiting(2, dispatcher)
        // Nothing else runs on the loop meanwhile: the lane that is woken first is still on its way.
        try await loop.submit {
            dispatcher.handBack { $0.giveBack([delivery]) }
            log.hearMore(["b"])
            dispatcher.appended()
        }.get()
        var taken: Set<UInt64> = []
        for lane in lanes { taken.formUnion(await lane.value?.deliveries.map(\.ordinal) ?? []) }
        #expect(taken == [1, 2])
        dispatcher.stopHandingOut()
    }
}

extension TopologyPoll {
    /// The first look at a server that is alone.
    static func oneMaster(at address: NodeAddress) -> TopologyPoll {
        var poll = TopologyPoll(
            topology: Topology(
                mode: .standalone,
                nodes: [Topology.Node(id: "\(address)", address: address, role: .master)]),
            ownWord: [address: .master])
        poll.number = 1
        return poll
    }
}

extension NodeLog {
    /// Hears keys expire as a feed would, and numbers them from 1.
    ///
    /// - Parameter counter: what the node has counted then.
    func hear(_ keys: [String], counter: UInt64? = nil) {
        subscriptionBegan()
        read(keys.map { (EventChannel.name(0), $0) } + [("lapse:test", "mark")])
        _ = resolve(counter: counter ?? UInt64(keys.count))
    }

    /// Hears some more, which are numbered at once.
    func hearMore(_ keys: [String]) { read(keys.map { (EventChannel.name(0), $0) }) }

    private func read(_ messages: [(channel: String, payload: String)]) {
        var bytes = ByteBuffer()
        for (channel, payload) in messages { RESPCommand("message", channel, payload).encode(into: &bytes) }
        var reader = ReplyReader(limits: ReplyLimits())
        try? reader.read(bytes) { batch in
            _ = take(batch, now: 1, look: 0) { _ in pinMark() }
        }
    }
}
