import LeaderElectionRedis
import NIOPosix
import RESP
import RedisClient
import Synchronization
import Testing
import Timing

@testable import Lapse

/// The account from which peers draw for their answers.
@Suite(.timeLimit(.minutes(1))) struct RepairAccountTests {
    /// Closes an account only after the next question.
    private final class LateRunner: CommandRunner {
        let isClosing = Gate()
        let isClosed = Gate()
        private let isOpenAgain = Gate()
        private let keys = Mutex<(opened: [String], closed: [String])>(([], []))

        var opened: [String] { keys.withLock { $0.opened } }
        var closed: [String] { keys.withLock { $0.closed } }

        func send(_ command: RESPCommand, key: String) async throws(RedisError) -> RESPValue {
            isClosing.open()
            await isOpenAgain.wait()
            keys.withLock { $0.closed.append(key) }
            isClosed.open()
            return .integer(1)
        }

        func run(_ script: Script, keys: [String], arguments: [[UInt8]]) async throws(RedisError) -> RESPValue {
            // A question is the last of an opening's four words.
            guard arguments.count == 4 else { return .array([]) }
            let count = self.keys.withLock { all in
                all.opened.append(keys[0])
                return all.opened.count
            }
            if count == 2 { isOpenAgain.open() }
            return .integer(1)
        }
    }

    @Test("an account that is closed late takes none from the next question")
    func closedLate() async throws {
        let runner = LateRunner()
        let (holes, ask) = AsyncStream.makeStream(of: Repairer.Hole.self)
        let looks = Mutex(0)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let listeners = Repairer.Listeners(
            leads: { hole in
                guard hole.runID == "first" else { return true }
                // It is awaited for one question.
                return looks.withLock { looks in
                    looks += 1
                    return looks == 1 ? true : nil
                }
            }, settled: { _, _ in nil }, gap: { _ in })
        let repairer = Repairer(
            holes: holes, id: "a", logs: LogSet(limitBytes: 1 << 20, limitAge: .seconds(60)), client: runner,
            channel: "c", places: RepairPlaces(name: "n", isSpread: false), peers: { ["b"] }, look: { 0 },
            listeners: listeners, on: loop, logger: CapturedLog().logger)
        let repairing = Task { await repairer.run() }
        ask.yield(.init(runID: "first", node: "n:1", ordinals: 1...3))
        await runner.isClosing.wait()
        ask.yield(.init(runID: "second", node: "n:1", ordinals: 1...3))
        await runner.isClosed.wait()
        #expect(runner.closed == [runner.opened[0]] && runner.opened[1] != runner.opened[0])
        repairing.cancel()
        await repairing.value
    }
}
