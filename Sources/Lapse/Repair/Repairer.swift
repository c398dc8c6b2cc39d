import LeaderElection
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
        package var survey: Survey?
        /// The node counted these and said nothing: no peer has heard them, and one that numbers otherwise would tell of others.
        package var isUnannounced = false
    }

    /// What peers may have heard of a process though nothing here tells of it.
    package enum Survey: Sendable {
        /// What lies before this replica's log of it.
        case before
        /// What lies behind it; the process is gone.
        case behind
        /// The same, of a process that may live, though this replica cannot hear it.
        case meanwhile
    }

    /// Whoever wants holes filled.
    package struct Listeners: Sendable {
        /// Whether the lease is valid; nil if nobody waits for the hole any more: the term is over.
        package var leads: @Sendable (Hole) -> Bool?
        /// The hole is as full as it will ever be. Returns how many of it are lost; nil if nobody waits for it any more.
        package var settled: @Sendable (Hole, RepairInquiry.End) -> UInt64?
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

    /// - Parameters:
    ///   - holes: what is to be filled.
    ///   - key: the list for answers, by nonce.
    ///   - peers: the replicas seen lately, this one included or not.
    ///   - look: how many looks at the topology have begun.
    package init(
        holes: AsyncStream<Hole>, id: String, logs: LogBook, client: any CommandRunner, channel: String,
        key: @escaping @Sendable (String) -> String, peers: @escaping @Sendable () -> Set<String>,
        look: @escaping @Sendable () -> Int, listeners: Listeners, on loop: any EventLoop, logger: Logger
    ) {
        self.id = id
        self.logs = logs
        self.client = client
        self.channel = channel
        self.key = key
        self.peers = peers
        self.look = look
        self.listeners = listeners
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
        guard let end = await ask(hole), let lost = listeners.settled(hole, end), hole.survey == nil else { return }
        let repaired = UInt64(hole.ordinals.count) - lost
        listeners.gap(Gap(node: hole.node, runID: hole.runID, ordinals: hole.ordinals, repaired: repaired))
    }

    /// Puts what the others had into the log; nil if nobody waits for that any more.
    private func ask(_ hole: Hole) async -> RepairInquiry.End? {
        let nonce = String(UInt64.random(in: .min ... .max), radix: 16)
        let request = RepairRequest(nonce: nonce, asker: id, runID: hole.runID, ordinals: hole.ordinals)
        let key = key(nonce)
        let bell = Doorbell(on: loop)
        var inquiry = RepairInquiry(hole, peers: peers().subtracting([id]))
        var wasAsked = false
        while true {
            // Also after the last moment: a process that was stopped meanwhile finds what came.
            if wasAsked {
                for answer in await take(key) {
                    inquiry.take(answer, into: logs, look: look(), now: WallClock.milliseconds())
                }
            }
            guard let leads = listeners.leads(hole) else { return nil }
            switch inquiry.next(now: SystemClock.read().monotonic, leads: leads) {
            case .ask:
                wasAsked = true
                await publish(request, key, &inquiry)
            case .wait: if await bell.wait(upTo: .milliseconds(10)) == .cancelled { return nil }
            case .over(let end):
                if wasAsked { _ = try? await client.send(RESPCommand("DEL", key), key: key) }
                return end
            }
        }
    }

    private func publish(_ request: RepairRequest, _ key: String, _ inquiry: inout RepairInquiry) async {
        do throws(RedisError) {
            _ = try await client.send(RESPCommand("PUBLISH", channel, request.text), key: key)
            inquiry.asked(now: SystemClock.read().monotonic)
        } catch {
            logger.warning("peers not asked", metadata: ["error": "\(error)"])
            if error.isPermanent { inquiry.refused() }
        }
    }

    private func take(_ key: String) async -> [RepairAnswer] {
        var answers: [RepairAnswer] = []
        while let bytes = try? await client.send(RESPCommand("LPOP", key), key: key).bytes {
            if let answer = RepairAnswer(bytes) { answers.append(answer) }
        }
        return answers
    }
}
