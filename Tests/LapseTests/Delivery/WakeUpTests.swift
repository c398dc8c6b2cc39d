import LeaderElection
import Logging
import NIOPosix
import Synchronization
import Testing
import Timing

@testable import Lapse
@testable import RedisClient

/// Expirations come in while lanes look for the last time before they wait, over and over: none may be
/// left to sleep.
///
/// No test here calls ``Dispatcher/watch(now:)``, which would wake a forgotten lane in time: nothing is
/// handled but by lanes that were woken for what came in, or for a key that has become free.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct WakeUpTests {
    /// How many handlers are still to end; says when it was the last.
    private final class Missing: Sendable {
        private let count = Atomic(0)
        private let (ends, lastEnded) = AsyncStream.makeStream(of: Void.self)

        var isNone: Bool { count.load(ordering: .relaxed) == 0 }

        func more(_ count: Int) { self.count.add(count, ordering: .relaxed) }

        func one() {
            if count.wrappingSubtract(1, ordering: .relaxed).newValue == 0 { lastEnded.yield() }
        }

        /// Returns early only when cancelled, at the time limit.
        func none() async {
            if isNone { return }
            for await _ in ends where isNone { return }
        }
    }

    /// A leader without servers, whose lanes call `handler`, and what is to be done meanwhile.
    private func lead(
        lanes: Int, _ missing: Missing, handler: @escaping @Sendable (Expiration) async -> Void,
        _ work: (NodeLog, Dispatcher) async -> Void
    ) async throws {
        let address = NodeAddress(host: "10.0.0.1", port: 6379)
        let logs = LogSet(limitBytes: 1 << 20, limitAge: .seconds(3600))
        let log = logs.log(of: "run", at: address)
        log.hear([])
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let dispatcher = Dispatcher(
            logs: logs, filter: KeyFilter(match: [], ignore: [], databases: [0]), lanes: lanes,
            bell: Doorbell(on: loop), listeners: .init(hole: { _ in }, ignored: { _, _ in }, doubtful: { _ in }))
        dispatcher.update { $0.note(.oneMaster(at: address)) }
        let timing = try LeaseTiming(ttl: .seconds(3600))
        let term = Term(
            number: 1, token: FencingToken(rawValue: 1),
            lease: Lease(LeaseWindow(start: SystemClock.read(), timing: timing)),
            claim: Claim(name: "test", id: "test", value: "", ttl: timing.ttl, rules: ""))
        let dependencies = Lane.Dependencies(
            dispatcher: dispatcher, timeout: .seconds(3600), logger: Logger(label: "test"), clock: loop
        ) { expiration, _ in
            await handler(expiration)
            missing.one()
        }
        dispatcher.lead(token: term.token, progress: [:], now: 0)
        await withDiscardingTaskGroup { group in
            for number in 0..<lanes {
                group.addTask { await Lane(number, dependencies: dependencies, term: term).serve() }
            }
            await work(log, dispatcher)
            await missing.none()
            #expect(missing.isNone, "somebody was left to sleep")
            dispatcher.stopHandingOut()
            await dispatcher.drained()
            group.cancelAll()
        }
    }

    @Test(arguments: [1, 2, 8], 0..<2 as Range<UInt64>)
    func whatComesInAtAnyMomentIsHandled(lanes: Int, seed: UInt64) async throws {
        let missing = Missing()
        var random = RandomSource.seeded(seed)
        try await lead(lanes: lanes, missing) { expiration in
            // Some take their time: so lanes work alone for a while, and share for a while.
            if expiration.position.ordinal % 16 == seed { spin(.microseconds(30)) }
        } _: { log, dispatcher in
            for _ in 0..<2000 where !Task.isCancelled {
                let keys = (0..<Int.random(in: 1...20, using: &random)).map { _ in
                    "key\(Int.random(in: 0..<4, using: &random))"
                }
                missing.more(keys.count)
                log.hearMore(keys)
                dispatcher.appended()
                if Int.random(in: 0..<4, using: &random) > 0 { await missing.none() }
                log.trim(through: dispatcher.inspect { $0.progress() }.first?.cursor.settled ?? 0)
            }
        }
    }
}

private func spin(_ time: Duration) {
    let end = ContinuousClock.now + time
    while ContinuousClock.now < end {}
}
