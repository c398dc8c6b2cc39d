import LeaderElection
import NIOCore
import NIOPosix
import Testing
import ThrowawayRedis

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
        _ logs: LogBook, hole: @escaping @Sendable (Repairer.Hole) -> Void = { _ in }
    ) -> Dispatcher {
        let dispatcher = Dispatcher(
            logs: logs, filter: KeyFilter(match: [], ignore: [], databases: [0]), lanes: 3,
            retryBell: Doorbell(on: Self.loops.next()),
            listeners: .init(hole: hole, ignored: { _, _ in }, doubtful: { _ in }))
        var poll = TopologyPoll(
            topology: Topology(
                mode: .standalone,
                nodes: [Topology.Node(id: "\(address)", address: address, role: .master)]),
            ownWord: [address: .master])
        poll.number = 1
        dispatcher.note(poll)
        return dispatcher
    }

    @Test("many retries that fall due at once occupy every lane, not one after the other")
    func dueRetriesWakeEveryLane() async throws {
        let logs = LogBook(limitBytes: 1 << 20, limitAge: .seconds(60))
        let log = logs.log(of: "run", at: address)
        log.hear(["a", "b", "c"])
        let dispatcher = dispatcher(logs)
        dispatcher.begin(token: FencingToken(rawValue: 1), progress: [:], now: 0)
        var taken: [Work] = []
        while taken.count < 3 { taken += await dispatcher.next() }
        for work in taken { dispatcher.retry(work, at: .seconds(1)) }

        // Lanes whose handlers do not end: each takes once.
        let lanes = (0..<3).map { _ in Task { await dispatcher.next() } }
        try await waitUntil("every lane waits", within: .seconds(20), every: .milliseconds(1)) {
            dispatcher.idleLanes == 3 ? nil : "\(dispatcher.idleLanes) do"
        }
        _ = dispatcher.wakeRetries(now: .seconds(2))
        try await waitUntil("every lane has taken one", within: .seconds(20), every: .milliseconds(1)) {
            dispatcher.inFlight == 3 ? nil : "\(dispatcher.inFlight) have"
        }
        dispatcher.stopIntake()
        for lane in lanes { _ = await lane.value }
    }
}

extension DispatcherTests {
    @Test("what lies between two pending ones was finished: nobody is asked for it, and it does not count as lost")
    func onlyPendingOnesAreAskedFor() async throws {
        let logs = LogBook(limitBytes: 1 << 20, limitAge: .seconds(60))
        logs.log(of: "run", at: address).hear(["a", "b", "c"])
        let (holes, heard) = AsyncStream.makeStream(of: Repairer.Hole.self)
        let dispatcher = dispatcher(logs) { heard.yield($0) }
        let progress = Progress(
            runID: "run", node: "\(address)", base: 0, cursor: Cursor(through: 14, pending: [10, 11, 13]), token: 1,
            write: 1)
        dispatcher.begin(token: FencingToken(rawValue: 2), progress: ["run": progress], now: 0)
        let lane = Task { await dispatcher.next() }
        var asked: [ClosedRange<UInt64>] = []
        for await hole in holes {
            asked.append(hole.ordinals)
            #expect(dispatcher.settle(hole, .answered) != nil)
            if asked.count == 2 { break }
        }
        #expect(asked == [10...11, 13...13])
        dispatcher.stopIntake()
        _ = await lane.value
    }
}

extension NodeLog {
    /// Hears keys expire as a feed would, and numbers them from 1.
    func hear(_ keys: [String]) {
        subscriptionBegan()
        var bytes = ByteBuffer()
        for (channel, text) in keys.map({ (EventChannel.name(0), $0) }) + [("lapse:test", "mark")] {
            bytes.writeString("*3\r\n")
            for word in ["message", channel, text] { bytes.writeString("$\(word.utf8.count)\r\n\(word)\r\n") }
        }
        var reader = ReplyReader(limits: ReplyLimits())
        try? reader.read(bytes) { batch in
            _ = receive(batch, now: 1, look: 0) { _, _, numbering in
                numbering.pin()
            } ownKey: { _ in
            }
        }
        _ = resolve(counter: UInt64(keys.count))
    }
}
