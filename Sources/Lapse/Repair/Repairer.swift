package import Logging
package import NIOCore
import RESP
import RedisClient
import Synchronization

/// Fills holes in the leader's log with what its peers heard.
///
/// One hole of one log at a time: its log stands still meanwhile, the others go on. When every other replica has answered, or the
/// deadline has passed, what nobody had is lost, and is said to be.
package final class Repairer: Sendable {
    /// A hole to be filled.
    package struct Hole: Sendable, Hashable {
        package var runID: String
        package var node: String
        package var ordinals: ClosedRange<UInt64>
        /// Of the term that asks: the answer to an earlier one's question is not its answer.
        package var token: UInt64 = 0
        /// Nobody knows whether there was anything: what no peer heard is not lost by that.
        package var isSurvey = false
    }

    /// What the repairer tells.
    package struct Listeners: Sendable {
        /// The hole is as full as it will ever be. Returns how many of it are lost; nil if nobody waits for it any more:
        /// the term is over.
        package var settled: @Sendable (Hole) -> UInt64?
        package var gap: @Sendable (Gap) -> Void
    }

    private let id: String
    private let logs: LogBook
    private let client: any CommandRunner
    private let channel: String
    private let key: @Sendable (_ nonce: String) -> String
    private let peers: @Sendable () -> Set<String>
    private let look: @Sendable () -> Int
    private let listeners: Listeners
    private let loop: any EventLoop
    private let logger: Logger
    private let holes: AsyncStream<Hole>
    private let deadline: Duration

    /// - Parameters:
    ///   - holes: what is to be filled.
    ///   - key: the list for answers, by nonce.
    ///   - peers: the replicas seen lately, this one included or not.
    ///   - look: how many looks at the topology have begun.
    ///   - deadline: how long to wait for answers.
    package init(
        holes: AsyncStream<Hole>, id: String, logs: LogBook, client: any CommandRunner, channel: String,
        key: @escaping @Sendable (String) -> String, peers: @escaping @Sendable () -> Set<String>,
        look: @escaping @Sendable () -> Int, listeners: Listeners, deadline: Duration = .seconds(2),
        on loop: any EventLoop, logger: Logger
    ) {
        self.id = id
        self.logs = logs
        self.client = client
        self.channel = channel
        self.key = key
        self.peers = peers
        self.look = look
        self.listeners = listeners
        self.deadline = deadline
        self.loop = loop
        self.logger = logger
        self.holes = holes
    }

    /// Fills holes until cancelled, several at once.
    package func run() async {
        await withDiscardingTaskGroup { group in
            for await hole in holes { group.addTask { await self.repair(hole) } }
        }
    }

    private func repair(_ hole: Hole) async {
        let others = peers().subtracting([id])
        if !others.isEmpty { await ask(hole, others) }
        guard let lost = listeners.settled(hole), !hole.isSurvey else { return }
        let repaired = UInt64(hole.ordinals.count) - lost
        listeners.gap(Gap(node: hole.node, runID: hole.runID, ordinals: hole.ordinals, repaired: repaired))
    }

    /// Puts what the others had into the log.
    private func ask(_ hole: Hole, _ others: Set<String>) async {
        let nonce = String(UInt64.random(in: .min ... .max), radix: 16)
        let request = RepairRequest(nonce: nonce, asker: id, runID: hole.runID, ordinals: hole.ordinals)
        let key = key(nonce)
        do throws(RedisError) {
            _ = try await client.send(RESPCommand("PUBLISH", channel, request.text), key: key)
        } catch {
            logger.warning("peers not asked", metadata: ["error": "\(error)"])
            return
        }
        let bell = Doorbell(on: loop)
        let end = ContinuousClock.now + deadline
        var tally = RepairTally(hole.ordinals, peers: others)
        while !tally.isOver, ContinuousClock.now < end {
            for answer in await take(key) {
                tally.take(answer) {
                    logs[hole.runID]?.insert($0, look: look(), now: WallClock.milliseconds()) ?? 0
                }
            }
            if !tally.isOver, await bell.wait(upTo: .milliseconds(10)) == .cancelled { break }
        }
        _ = try? await client.send(RESPCommand("DEL", key), key: key)
    }

    private func take(_ key: String) async -> [RepairAnswer] {
        var answers: [RepairAnswer] = []
        while let bytes = try? await client.send(RESPCommand("LPOP", key), key: key).bytes {
            if let answer = RepairAnswer(bytes) { answers.append(answer) }
        }
        return answers
    }
}
