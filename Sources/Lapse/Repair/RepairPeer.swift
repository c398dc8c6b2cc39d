import LeaderElection
package import Logging
package import NIOCore
package import RedisClient
import Synchronization
import Timing

/// Answers replicas that missed something this one heard, into a list beside the lock, as fast as it is
/// read there (``RepairMailbox``). The question comes in by every feed; the first one counts.
///
/// I12, the rule that all of this serves: *at every instant, what any living replica heard and no
/// leader finished can be had by the next leader.* So a replica tells what its log keeps until its
/// successor is whole (`Farewell`), asks for its holes (``CatchUp``) and, leading, for logs without a
/// feed (``SurveySchedule``), and as a follower keeps what the progress calls unfinished.
package final class RepairPeer: Sendable {
    private let id: String
    private let logs: LogSet
    private let mailbox: RepairMailbox
    private let members: @Sendable () -> Set<String>
    private let ownership: @Sendable (NodeAddress) -> SlotOwnership.OfNode
    private let loop: any EventLoop
    private let logger: Logger
    private let state = Mutex((admission: RepairAdmission(), underWay: 0))
    private let requests: AsyncStream<RepairRequest>
    private let inbox: AsyncStream<RepairRequest>.Continuation
    /// Answers at once; the rest is dropped, and asked again.
    private static let limit = 32
    /// How often an answer is tried for which the account has no room.
    private static let patience = 40

    /// - Parameters:
    ///   - places: where answers are put.
    ///   - members: the replicas seen lately.
    package init(
        id: String, logs: LogSet, client: any CommandRunner, places: RepairPlaces,
        members: @escaping @Sendable () -> Set<String>,
        ownership: @escaping @Sendable (NodeAddress) -> SlotOwnership.OfNode, on loop: any EventLoop, logger: Logger
    ) {
        self.id = id
        self.logs = logs
        mailbox = RepairMailbox(client: client, key: places.key)
        self.members = members
        self.ownership = ownership
        self.loop = loop
        self.logger = logger
        (requests, inbox) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(64))
    }

    /// A request was heard on some feed.
    package func hear(_ request: RepairRequest) {
        guard request.asker != id else { return }
        let members = members()
        let now = SystemClock.read().monotonic
        guard state.withLock({ $0.admission.admits(request, for: id, members: members, now: now) }) else { return }
        if case .dropped = inbox.yield(request) { forget(request) }
    }

    /// Answers until cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            for await request in requests {
                let mayBegin = state.withLock { state in
                    guard state.underWay < Self.limit else { return false }
                    state.underWay += 1
                    return true
                }
                guard mayBegin else {
                    forget(request)
                    continue
                }
                group.addTask {
                    await self.answer(request)
                    self.state.withLock { $0.underWay -= 1 }
                }
            }
        }
    }

    private func forget(_ request: RepairRequest) { state.withLock { $0.admission.forget(request) } }

    private func answer(_ request: RepairRequest) async {
        var reply = RepairReply(to: request, from: id)
        do throws(RedisError) {
            guard try await mailbox.isRead(request) else { return }
            answering: while true {
                switch reply.next(from: logs, ownership) {
                case .tell(let answer): guard try await put(answer, request) else { return }
                case .wait:
                    if await Doorbell(on: loop).wait(upTo: RepairReply.pause) == .cancelled { return }
                case .over: break answering
                }
            }
        } catch {
            logger.warning("answer to a peer not written", metadata: ["error": "\(error)"])
            return forget(request)
        }
        guard reply.count > 0 else { return }
        logger.info(
            "answered a peer",
            metadata: [
                "peer": "\(request.asker)", "asked": .stringConvertible(request.ordinals.count),
                "had": .stringConvertible(reply.count),
            ])
    }

    /// False when it is not taken: then the rest need not be told.
    private func put(_ answer: RepairAnswer, _ request: RepairRequest) async throws(RedisError) -> Bool {
        for _ in 0..<Self.patience {
            switch try await mailbox.put(answer, request) {
            case .written: return true
            case .unread: return false
            case .full:
                if await Doorbell(on: loop).wait(upTo: .milliseconds(50)) == .cancelled { return false }
            }
        }
        forget(request)
        return false
    }
}
