import LeaderElection
import Logging
import NIOPosix
import Synchronization
import Testing
import ThrowawayRedis
import Timing

@testable import Lapse
@testable import RedisClient

/// A handler of batches remembers what it has posted until it is told that it comes no more.
@Suite(.timeLimit(.minutes(1)))
struct BuriedTests {
    private struct Refused: Error, AdvisesOnAttempts {
        var anotherAttempt: AnotherAttempt
    }

    private static let loops = MultiThreadedEventLoopGroup.singleton

    @Test("the handler is told of each expiration that is given up, at its last attempt or before, and of no other")
    func told() async throws {
        let node = NodeAddress(host: "10.0.0.1", port: 6379)
        let logs = LogSet(limitBytes: 1 << 20, limitAge: .seconds(60))
        logs.log(of: "run", at: node).hear(["good", "bad", "worse", "slow"])
        let dispatcher = Dispatcher(
            logs: logs, filter: KeyFilter(match: [], ignore: [], databases: [0]), lanes: 1, order: .ofNodes,
            bell: Doorbell(on: Self.loops.next()),
            listeners: .init(hole: { _ in }, ignored: { _, _ in }, doubtful: { _ in }))
        dispatcher.update { $0.note(.oneMaster(at: node)) }
        var dependencies = Lane.Dependencies(
            dispatcher: dispatcher, timeout: .seconds(30),
            logger: Logger(label: "silent") { _ in SwiftLogNoOpLogHandler() },
            clock: Self.loops.next(), handler: { _, _ in })
        dependencies.retries = RetryPolicy(retries: 1, first: .milliseconds(1), cap: .milliseconds(1))
        let calls = Mutex<[String]>([])
        let buried = Mutex<[String]>([])
        let handler: BatchHandler = { batch, _ in
            var result = BatchResult()
            for index in batch.indices {
                let (key, attempt) = ("\(batch[index].key)", batch.attempt(at: index))
                calls.withLock { $0.append("\(key)\(attempt)") }
                switch key {
                case "bad": result.fail(index, Refused(anotherAttempt: .asConfigured))
                case "worse": result.fail(index, Refused(anotherAttempt: .pointless))
                case "slow" where attempt == 1: result.fail(index, Refused(anotherAttempt: .asConfigured))
                default: break
                }
            }
            return result
        }
        dependencies.handler = .batches(handler) { expiration in
            buried.withLock { $0.append("\(expiration.key) \(expiration.ordinal)") }
        }
        let lane = BatchLane(
            handler, dependencies: dependencies,
            term: Term(
                number: 1, token: FencingToken(rawValue: 1),
                lease: Lease(until: SystemClock.read().advanced(by: .seconds(60))),
                claim: Claim(name: "test", id: "test", value: "test:1", ttl: .seconds(8), rules: "")))
        dispatcher.lead(token: FencingToken(rawValue: 1), progress: [:], now: 0)
        // The lane works beside the test, which ends it.
        let serving = Task { await lane.serve() }
        try await waitUntil("all are handled", within: .seconds(20), every: .milliseconds(1)) {
            _ = dispatcher.watch(now: SystemClock.read().monotonic)
            return dispatcher.inspect { $0.progress() }.first?.cursor == Cursor(through: 4) ? nil : "not yet"
        }
        #expect(buried.withLock { $0.sorted() } == ["bad 2", "worse 3"])
        #expect(calls.withLock { $0.sorted() } == ["bad1", "bad2", "good1", "slow1", "slow2", "worse1"])
        dispatcher.stopHandingOut()
        await serving.value
    }
}
