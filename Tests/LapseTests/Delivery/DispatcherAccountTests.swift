import LeaderElection
import NIOCore
import NIOPosix
import Synchronization
import Testing
import Timing

@testable import Lapse
@testable import RESP
@testable import RedisClient

/// The account of a dispatcher over real logs, which lose and trim what they please.
@Suite(.timeLimit(.minutes(1)))
struct DispatcherAccountTests {
    private static let loops = MultiThreadedEventLoopGroup.singleton
    private let address = NodeAddress(host: "10.0.0.1", port: 6379)

    private final class Holes: Sendable {
        let asked = Mutex<[Repairer.Hole]>([])
        func next() -> Repairer.Hole? { asked.withLock { $0.isEmpty ? nil : $0.removeFirst() } }
    }

    private func dispatcher(_ logs: LogSet, _ holes: Holes) -> Dispatcher {
        let dispatcher = Dispatcher(
            logs: logs, filter: KeyFilter(match: ["k:*"], ignore: [], databases: [0]), lanes: 1,
            bell: Doorbell(on: Self.loops.next()),
            listeners: .init(
                hole: { hole in holes.asked.withLock { $0.append(hole) } }, ignored: { _, _ in }, doubtful: { _ in }))
        var poll = TopologyPoll(
            topology: Topology(
                mode: .standalone, nodes: [Topology.Node(id: "\(address)", address: address, role: .master)]),
            ownWord: [address: .master])
        poll.number = 1
        dispatcher.update { $0.note(poll) }
        return dispatcher
    }

    /// A node, and the feed that hears what is not cut off.
    private struct Node {
        let log: NodeLog
        var counter: UInt64 = 0

        mutating func expire(_ keys: [String], unheard: Int = 0) {
            counter += UInt64(keys.count)
            deliver(keys.dropFirst(unheard))
        }

        func deliver(_ keys: ArraySlice<String>, mark: Bool = false) {
            var bytes = ByteBuffer()
            for key in keys { RESPCommand("message", EventChannel.name(0), key).encode(into: &bytes) }
            if mark { RESPCommand("message", "lapse:test", "nonce").encode(into: &bytes) }
            var reader = ReplyReader()
            try? reader.read(bytes) { batch in
                _ = log.take(batch, now: 1_000, look: 0) { _ in log.pinMark() }
            }
        }

        func mark() {
            deliver([], mark: true)
            _ = log.resolve(counter: counter)
        }
    }

    private func account(_ dispatcher: Dispatcher) -> NodeAccount {
        dispatcher.inspect { $0.accounts() }.reduce(NodeAccount()) { $0 + $1.account }
    }

    @Test("random losses, bounds and handlers: it balances after every step, and what is lost is what was reported")
    func balances() async throws {
        var reportedAtAll: UInt64 = 0
        for seed in 0..<8 as Range<UInt64> {
            var random = RandomSource.seeded(seed)
            let logs = LogSet(limitBytes: 4 << 10, limitAge: .seconds(60))
            var node = Node(log: logs.log(of: "run", at: address))
            node.log.subscriptionBegan()
            node.mark()
            let holes = Holes()
            let dispatcher = dispatcher(logs, holes)
            dispatcher.lead(token: FencingToken(rawValue: 1), progress: [:], now: 0)
            var underWay: [Delivery] = []
            var reported: UInt64 = 0
            var number = 0
            for step in 0..<150 {
                switch Int.random(in: 0..<8, using: &random) {
                case 0...2:
                    let keys = (0..<Int.random(in: 1...60, using: &random)).map { _ -> String in
                        number += 1
                        return number % 7 == 0 ? "other:\(number)" : "k:\(number)"
                    }
                    node.expire(keys, unheard: Int.random(in: 0..<5, using: &random) == 0 ? keys.count / 2 : 0)
                case 3: node.mark()
                case 4:
                    node.log.subscriptionEnded(now: 1_000)
                    node.counter += UInt64.random(in: 0...50, using: &random)
                    node.log.subscriptionBegan()
                    node.mark()
                case 5:
                    while let hole = holes.next() {
                        // A peer has every second one.
                        let heard = hole.ordinals.filter { $0 % 2 == 0 }.map {
                            HeardExpiration(ordinal: $0, database: 0, receivedAt: 1_000, key: Array("k:\($0)".utf8))
                        }
                        _ = node.log.insert(heard, look: 0, now: 1_000)
                        reported += dispatcher.update { $0.settle(hole, .unanswered) } ?? 0
                    }
                case 6:
                    // A lane that finds nothing would wait: it is asked only when there is something.
                    if dispatcher.update({ $0.offer([]) }).isEmpty, !underWay.isEmpty || account(dispatcher).pending > 0
                    {
                        if underWay.isEmpty {
                            underWay = Array(await dispatcher.next(0, .quick)?.deliveries ?? DeliveryList())
                        }
                        for delivery in underWay.prefix(40) { dispatcher.handBack { $0.finish(delivery) } }
                        underWay.removeFirst(min(40, underWay.count))
                    }
                default: break
                }
                let account = account(dispatcher)
                #expect(account.imbalance == 0, "seed \(seed), step \(step): \(account)")
                #expect(account.lost <= reported, "seed \(seed), step \(step): passed over in silence")
            }
            reportedAtAll += reported
        }
        #expect(reportedAtAll > 0, "nothing was lost, so nothing was tested")
    }

    @Test("what a peer brought and the bounds took away again is a hole again, not a silent loss")
    func repairedAndTrimmed() async throws {
        let logs = LogSet(limitBytes: 1 << 20, limitAge: .seconds(60))
        var node = Node(log: logs.log(of: "run", at: address))
        node.log.subscriptionBegan()
        node.mark()
        node.expire((1...10).map { "k:\($0)" }, unheard: 10)
        node.mark()
        let holes = Holes()
        let dispatcher = dispatcher(logs, holes)
        dispatcher.lead(token: FencingToken(rawValue: 1), progress: [:], now: 0)
        _ = dispatcher.update { $0.offer([]) }
        let first = try #require(holes.next())
        #expect(first.ordinals == 1...10)
        _ = node.log.insert(
            first.ordinals.map { HeardExpiration(ordinal: $0, database: 0, receivedAt: 1_000, key: [1]) }, look: 0,
            now: 1_000)
        #expect(dispatcher.update { $0.settle(first, .answered) } == 0, "a peer had them all")
        node.log.trim(through: 10)
        _ = dispatcher.update { $0.offer([]) }
        let second = try #require(holes.next(), "they must not be passed over in silence")
        #expect(dispatcher.update { $0.settle(second, .answered) } == 10)
        _ = dispatcher.update { $0.offer([]) }
        let account = account(dispatcher)
        #expect(account.lost == 10)
        #expect(account.imbalance == 0)
    }
}
