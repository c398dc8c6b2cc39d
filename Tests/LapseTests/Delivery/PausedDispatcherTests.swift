import LeaderElection
import NIOPosix
import Testing
import ThrowawayRedis
import Timing

@testable import Lapse
@testable import RESP
@testable import RedisClient

/// A dispatcher whose handing out an operator has stopped for a while.
@Suite(.timeLimit(.minutes(1)))
struct PausedDispatcherTests {
    @Test("a pause takes back what no lane has begun, and hands it out afterwards")
    func pause() async throws {
        let address = NodeAddress(host: "10.0.0.1", port: 6379)
        let logs = LogSet(limitBytes: 1 << 20, limitAge: .seconds(60))
        logs.log(of: "run", at: address).hear(["a", "b", "c"])
        let dispatcher = Dispatcher(
            logs: logs, filter: KeyFilter(match: [], ignore: [], databases: [0]), lanes: 3,
            bell: Doorbell(on: MultiThreadedEventLoopGroup.singleton.next()),
            listeners: .init(hole: { _ in }, ignored: { _, _ in }, doubtful: { _ in }))
        dispatcher.update { $0.note(.oneMaster(at: address)) }
        dispatcher.lead(token: FencingToken(rawValue: 1), progress: [:], now: 0)
        let batch = try #require(await dispatcher.next(0, .quick))
        #expect(batch.begin() == 0)
        dispatcher.pause()
        #expect(batch.begin() == nil, "what is begun ends, and no other one begins")
        batch.finish(0)
        let lanes = (0..<3).map { lane in Task { await dispatcher.next(lane, .quick) } }
        try await waitUntil("every lane waits", within: .seconds(20), every: .milliseconds(1)) {
            dispatcher.idleLanes == 3 && dispatcher.inFlight == 0 ? nil : "\(dispatcher.idleLanes) do"
        }
        #expect(dispatcher.inspect { $0.pendingCount } == 2)
        // A new term does not end it.
        dispatcher.appended()
        _ = dispatcher.watch(now: .seconds(1))
        #expect(dispatcher.inFlight == 0)
        dispatcher.goOn()
        try await waitUntil("they are handed out", within: .seconds(20), every: .milliseconds(1)) {
            dispatcher.inFlight == 2 ? nil : "\(dispatcher.inFlight) are"
        }
        dispatcher.stopHandingOut()
        for lane in lanes { _ = await lane.value }
    }
}
