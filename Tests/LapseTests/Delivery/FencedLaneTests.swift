import LeaderElection
import NIOPosix
import Testing
import Timing

@testable import Lapse
@testable import RedisClient

/// A resource refuses the leader's token: that was no attempt, and the term is over.
@Suite(.timeLimit(.minutes(1)))
struct FencedLaneTests {
    private static let loops = MultiThreadedEventLoopGroup.singleton
    private let log = CapturedLog()
    private let term = Term(
        number: 1, token: FencingToken(rawValue: 1),
        lease: Lease(until: SystemClock.read().advanced(by: .seconds(60))),
        claim: Claim(name: "test", id: "test", value: "test:1", ttl: .seconds(8), rules: ""))

    /// Three expirations wait.
    private func dispatcher(_ order: DeliveryMachine.Order) -> Dispatcher {
        let node = NodeAddress(host: "10.0.0.1", port: 6379)
        let logs = LogSet(limitBytes: 1 << 20, limitAge: .seconds(60))
        logs.log(of: "run", at: node).hear(["a", "b", "c"])
        let dispatcher = Dispatcher(
            logs: logs, filter: KeyFilter(match: [], ignore: [], databases: [0]), lanes: 1, order: order,
            bell: Doorbell(on: Self.loops.next()),
            listeners: .init(hole: { _ in }, ignored: { _, _ in }, doubtful: { _ in }))
        dispatcher.update { $0.note(.oneMaster(at: node)) }
        dispatcher.lead(token: term.token, progress: [:], now: 0)
        return dispatcher
    }

    /// With no attempt but the first. The lease holds: only the resource says that the term is over.
    private func dependencies(
        _ dispatcher: Dispatcher, _ handler: @escaping ExpirationHandler = { _, _ in }
    ) -> Lane.Dependencies {
        var dependencies = Lane.Dependencies(
            dispatcher: dispatcher, timeout: .seconds(30), logger: log.logger, clock: Self.loops.next(),
            handler: handler)
        // As the end of the term does it.
        dependencies.fencedOut = { dispatcher.stopHandingOut() }
        return dependencies
    }

    private func pending(_ dispatcher: Dispatcher) -> [UInt64] {
        #expect(dispatcher.inFlight == 0)
        #expect(log.lines("a resource has seen a later term").count == 1)
        #expect(log.lines("handler failed").isEmpty && log.lines("dead-lettered").isEmpty, "\(log.lines)")
        return dispatcher.inspect { $0.progress() }.first?.cursor.pending.sorted ?? []
    }

    @Test func aBatchStaysPending() async {
        let dispatcher = dispatcher(.ofNodes)
        let lane = BatchLane({ _, _ in throw FencedOut() }, dependencies: dependencies(dispatcher), term: term)
        await lane.serve()
        #expect(pending(dispatcher) == [1, 2, 3])
    }

    @Test("where one of a batch is refused, none of the others that were not handled was an attempt")
    func aPartStaysPending() async {
        let dispatcher = dispatcher(.ofNodes)
        let handler: BatchHandler = { batch, _ in
            var result = BatchResult(handledUpTo: 1, of: batch.count, error: CancellationError())
            result.fail(2, FencedOut())
            return result
        }
        await BatchLane(handler, dependencies: dependencies(dispatcher), term: term).serve()
        #expect(pending(dispatcher) == [2, 3])
    }

    @Test func oneStaysPending() async {
        let dispatcher = dispatcher(.ofKeys)
        await Lane(0, dependencies: dependencies(dispatcher) { _, _ in throw FencedOut() }, term: term).serve()
        #expect(pending(dispatcher).first == 1)
    }
}
