import LeaderElectionRedis
import NIOCore
import NIOPosix
import RESP
import RedisClient
import Synchronization
import Testing
import Timing

@testable import Lapse

/// What is asked about before a hole is settled.
@Suite(.timeLimit(.minutes(1))) struct RepairBesidesTests {
    /// A peer that tells one ordinal in each answer.
    private final class Peer: CommandRunner {
        private let state = Mutex<(asked: [RepairRequest], answers: [[UInt8]])>(([], []))

        var asked: [ClosedRange<UInt64>] { state.withLock { $0.asked.map(\.ordinals) } }

        func send(_ command: RESPCommand, key: String) async throws(RedisError) -> RESPValue { .integer(1) }

        func run(_ script: Script, keys: [String], arguments: [[UInt8]]) async throws(RedisError) -> RESPValue {
            state.withLock { state in
                if let text = arguments.last, let request = RepairRequest(String(decoding: text, as: UTF8.self)) {
                    guard state.asked.last != request else { return .integer(1) }
                    state.asked.append(request)
                    let first = request.ordinals.lowerBound
                    let answer: RepairAnswer =
                        request.ordinals.count > 1
                        ? .more(replica: "b", through: first) : .done(replica: "b", processes: [])
                    state.answers = [answer.bytes]
                    return .integer(1)
                }
                defer { state.answers = [] }
                return .array(state.answers.map { .bulk(ByteBuffer(bytes: $0)) })
            }
        }
    }

    @Test("what else may hold an own lock is asked about to its end, and until there is no more")
    func toTheEnd() async throws {
        let peer = Peer()
        let (holes, ask) = AsyncStream.makeStream(of: Repairer.Hole.self)
        let others = Mutex([[5...7], [9...9]] as [[ClosedRange<UInt64>]])
        let isSettled = Gate()
        let listeners = Repairer.Listeners(
            leads: { _ in true },
            besides: { hole, _ in
                let next = others.withLock { $0.isEmpty ? [] : $0.removeFirst() }
                return next.map { Repairer.Hole(runID: hole.runID, node: hole.node, ordinals: $0) }
            },
            settled: { _, _ in
                isSettled.open()
                return nil
            }, gap: { _ in })
        let repairer = Repairer(
            holes: holes, id: "a", logs: LogSet(limitBytes: 1 << 20, limitAge: .seconds(60)), client: peer,
            channel: "c", places: RepairPlaces(name: "n", isSpread: false), peers: { ["b"] }, look: { 0 },
            listeners: listeners, on: MultiThreadedEventLoopGroup.singleton.next(), logger: CapturedLog().logger)
        let repairing = Task { await repairer.run() }
        ask.yield(.init(runID: "r", node: "n:1", ordinals: 1...1))
        await isSettled.wait()
        #expect(peer.asked == [1...1, 5...7, 6...7, 7...7, 9...9])
        repairing.cancel()
        await repairing.value
    }
}
