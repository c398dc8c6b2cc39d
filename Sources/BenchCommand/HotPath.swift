import Lapse
import LeaderElection
import Logging
import NIOCore
import NIOPosix
import RESP
import RedisClient
import Synchronization

/// The product's own parts between a socket and a handler, fed with the same bytes again and again.
final class HotPath: Sendable {
    private let log: NodeLog
    private let dispatcher: Dispatcher
    private let lanes: Int
    /// What one read of a socket brings: messages of 24-byte keys.
    private let read: ByteBuffer
    private static let eventsInRead = 700
    private let handled = Atomic(0)

    init(lanes: Int) {
        self.lanes = lanes
        let address = NodeAddress(host: "10.0.0.1", port: 6379)
        let logs = LogBook(limitBytes: 64 << 20, limitAge: .seconds(60))
        log = logs.log(of: "0123456789abcdef0123456789abcdef01234567", at: address)
        dispatcher = Dispatcher(
            logs: logs, filter: KeyFilter(match: [], ignore: [], databases: [0]), lanes: lanes,
            retryBell: Doorbell(on: MultiThreadedEventLoopGroup.singleton.next()),
            listeners: .init(hole: { _ in }, ignored: { _, _ in }, doubtful: { _ in }))
        let master = Topology.Node(id: "\(address)", address: address, role: .master)
        dispatcher.note(
            TopologyPoll(
                topology: Topology(mode: .standalone, nodes: [master]), ownWord: [address: .master],
                number: 1))
        var read = ByteBuffer()
        for number in 0..<Self.eventsInRead {
            RESPCommand("message", EventChannel.name(0), ExpirationBurst.key(number)).encode(into: &read)
        }
        self.read = read
        log.subscriptionBegan()
        var mark = ByteBuffer()
        RESPCommand("message", "lapse:bench", "mark").encode(into: &mark)
        var reader = ReplyReader()
        hear(mark, with: &reader)
        _ = log.resolve(counter: 0)
    }

    /// Bytes into the log, which is trimmed as a follower trims it.
    func hear(_ events: Int) {
        var reader = ReplyReader()
        for round in 0..<events / Self.eventsInRead {
            hear(read, with: &reader)
            if round % 100 == 0 { log.trim(through: log.counts.last ?? 0) }
        }
    }

    /// The same, and from the log to a handler that only counts.
    func handle(_ events: Int) async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let timing = try LeaseTiming(ttl: .seconds(3600))
        let term = Term(
            number: 1, token: FencingToken(rawValue: 1),
            lease: Lease(LeaseWindow(start: SystemClock.read(), timing: timing)),
            claim: Claim(name: "bench", id: "bench", value: "", ttl: timing.ttl, rules: ""))
        dispatcher.begin(token: term.token, progress: [:], now: 0)
        let around = Lane.Surroundings(
            dispatcher: dispatcher, timeout: .seconds(30), logger: Logger(label: "bench"), clock: loop
        ) { _, _ in self.handled.wrappingAdd(1, ordering: .relaxed) }
        await withDiscardingTaskGroup { group in
            for number in 0..<lanes {
                group.addTask { await Lane(number, around: around, term: term).serve() }
            }
            await feed(events)
            dispatcher.stopIntake()
            await dispatcher.drained()
            group.cancelAll()
        }
        dispatcher.end()
    }

    /// No more at a time than the lanes keep up with. Waiting costs a few allocations for each read.
    private func feed(_ events: Int) async {
        var reader = ReplyReader()
        for round in 1...max(1, events / Self.eventsInRead) {
            hear(read, with: &reader)
            dispatcher.appended()
            while handled.load(ordering: .relaxed) < round * Self.eventsInRead {
                try? await Task.sleep(for: .microseconds(50))
            }
            log.trim(through: log.counts.last ?? 0)
        }
    }

    private func hear(_ bytes: ByteBuffer, with reader: inout ReplyReader) {
        do throws(ProtocolError) {
            try reader.read(bytes) { batch in
                _ = log.receive(batch, now: WallClock.milliseconds(), look: 1) { _, _, numbering in
                    numbering.pin()
                } ownKey: { _ in
                }
            }
        } catch {
            // The bytes are this program's own.
            fatalError("\(error)")
        }
    }
}
