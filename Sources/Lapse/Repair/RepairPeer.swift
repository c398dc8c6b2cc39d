package import Logging
package import NIOCore
package import RESP
package import RedisClient
import Synchronization

/// Answers a leader that missed something this replica heard.
///
/// The request comes in by every feed; the first one counts. The answer goes into a short-lived list beside the lock, bounded in
/// size: what does not fit is as good as not heard.
package final class RepairPeer: Sendable {
    private let id: String
    private let logs: LogBook
    private let client: any CommandRunner
    private let key: @Sendable (_ nonce: String) -> String
    private let ownership: @Sendable (NodeAddress) -> Ownership.OfNode
    private let loop: any EventLoop
    private let logger: Logger
    private let heard = Mutex(RepairRequestsHeard())
    private let requests: AsyncStream<RepairRequest>
    private let inbox: AsyncStream<RepairRequest>.Continuation
    /// How long an answer stays, in milliseconds.
    private static let patience = 10_000
    /// One step, so that no list is left behind for ever.
    private static let add = Script(
        "redis.call('RPUSH', KEYS[1], ARGV[1]) return redis.call('PEXPIRE', KEYS[1], ARGV[2])")

    package init(
        id: String, logs: LogBook, client: any CommandRunner, key: @escaping @Sendable (String) -> String,
        ownership: @escaping @Sendable (NodeAddress) -> Ownership.OfNode, on loop: any EventLoop, logger: Logger
    ) {
        self.id = id
        self.logs = logs
        self.client = client
        self.key = key
        self.ownership = ownership
        self.loop = loop
        self.logger = logger
        (requests, inbox) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(64))
    }

    /// A request was heard on some feed.
    package func hear(_ request: RepairRequest) {
        if heard.withLock({ $0.isNew(request, for: id) }) { inbox.yield(request) }
    }

    /// Answers until cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            for await request in requests { group.addTask { await self.answer(request) } }
        }
    }

    private func answer(_ request: RepairRequest) async {
        var reply = RepairReply(to: request, from: id)
        answering: while true {
            switch reply.next(from: logs, ownership) {
            case .tell(let answer):
                guard await push(answer, request) else { return heard.withLock { $0.forget(request) } }
            case .wait:
                if await Doorbell(on: loop).wait(upTo: RepairReply.pause) == .cancelled { return }
            case .over: break answering
            }
        }
        logger.info(
            "answered a peer",
            metadata: ["leader": "\(request.asker)", "asked": "\(request.ordinals.count)", "had": "\(reply.count)"])
    }

    private func push(_ answer: RepairAnswer, _ request: RepairRequest) async -> Bool {
        do throws(RedisError) {
            _ = try await client.run(
                Self.add, keys: [key(request.nonce)], arguments: [answer.bytes, Array("\(Self.patience)".utf8)])
            return true
        } catch {
            logger.warning("answer to a peer not written", metadata: ["error": "\(error)"])
            return false
        }
    }
}

/// Whoever can run a command or a script where a key lives.
package protocol CommandRunner: Sendable {
    func send(_ command: RESPCommand, key: String) async throws(RedisError) -> RESPValue
    func run(_ script: Script, keys: [String], arguments: [[UInt8]]) async throws(RedisError) -> RESPValue
}

extension KeyedClient: CommandRunner {
    package func send(_ command: RESPCommand, key: String) async throws(RedisError) -> RESPValue {
        try await send(command, key: key, timeout: .seconds(2))
    }

    package func run(_ script: Script, keys: [String], arguments: [[UInt8]]) async throws(RedisError) -> RESPValue {
        try await run(script, keys: keys, arguments: arguments, timeout: .seconds(2))
    }
}
