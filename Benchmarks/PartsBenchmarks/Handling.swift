import Benchmark
import Lapse
import LeaderElection
import Logging
import NIOCore
import NIOPosix
import RedisClient
import Synchronization
import Timing

/// The whole way, over the product's own lanes: from bytes into the log, and from there to a handler
/// that only counts.
func handling() {
    for lanes in [1, 64] {
        // Who waits when a read comes is the scheduler's choice, and to wait takes memory. One for each
        // expiration would be 10 000.
        Benchmark("handle_10000_expirations_\(lanes)_at_once", configuration: .counting(within: 50)) { benchmark in
            let leader = try Leader(lanes: lanes)
            await leader.lead {
                // By then every lane has been at work, and what grows with the backlog has grown.
                for _ in 0..<10 { await leader.handleOneRead() }
                await benchmark.count { for _ in 0..<10 { await leader.handleOneRead() } }
            }
        }
    }
}

/// A leader of one node, without servers.
private final class Leader {
    private static let eventsInRead = 1000
    private let read = HeardNode.expirations(eventsInRead)
    private var node = HeardNode()
    private let dispatcher: Dispatcher
    private let arrivals = Arrivals()
    private let lanes: [Lane]

    init(lanes: Int) throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let dispatcher = Dispatcher(
            logs: node.logs, filter: KeyFilter(match: [], ignore: [], databases: [0]), lanes: lanes,
            bell: Doorbell(on: loop),
            listeners: .init(hole: { _ in }, ignored: { _, _ in }, doubtful: { _ in }))
        let timing = try LeaseTiming(ttl: .seconds(3600))
        let term = Term(
            number: 1, token: FencingToken(rawValue: 1),
            lease: Lease(LeaseWindow(start: SystemClock.read(), timing: timing)),
            claim: Claim(name: "bench", id: "bench", value: "", ttl: timing.ttl, rules: ""))
        let arrivals = arrivals
        let dependencies = Lane.Dependencies(
            dispatcher: dispatcher, timeout: .seconds(30), logger: Logger(label: "bench"), clock: loop
        ) { _, _ in arrivals.one() }
        self.dispatcher = dispatcher
        self.lanes = (0..<lanes).map { Lane($0, dependencies: dependencies, term: term) }
        dispatcher.update { $0.note(HeardNode.poll) }
        dispatcher.lead(token: term.token, progress: [:], now: 1_000)
    }

    /// Runs the lanes meanwhile.
    func lead(_ work: () async -> Void) async {
        await withDiscardingTaskGroup { group in
            for lane in lanes { group.addTask { await lane.serve() } }
            await work()
            dispatcher.stopHandingOut()
            await dispatcher.drained()
            group.cancelAll()
        }
        dispatcher.update { $0.end() }
    }

    /// No more at a time than the lanes keep up with.
    func handleOneRead() async {
        arrivals.expect(Self.eventsInRead)
        node.hear(read)
        dispatcher.appended()
        await arrivals.all()
        node.log.trim(through: node.log.counts.last ?? 0)
    }
}

/// How many handlers are still to be called; says when it was the last.
private final class Arrivals: Sendable {
    private let missing = Atomic(0)
    private let (last, lastCame) = AsyncStream.makeStream(of: Void.self)

    func expect(_ count: Int) { missing.store(count, ordering: .relaxed) }

    func one() {
        if missing.wrappingSubtract(1, ordering: .relaxed).newValue == 0 { lastCame.yield() }
    }

    func all() async {
        for await _ in last { return }
    }
}
