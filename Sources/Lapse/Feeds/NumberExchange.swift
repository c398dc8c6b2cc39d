import LeaderElection
import Logging
import NIOCore
import RESP
import RedisClient
import Synchronization
import Timing

/// Has all replicas number a process alike.
///
/// A replica whose subscription broke cannot tell a counter that was reset from forged messages; its
/// peers can. Before it numbers the new subscription it asks them: each looks at its own numbers, tells
/// the registers a larger `base`, and answers.
final class NumberExchange: Sendable {
    private struct Wait {
        var waitingFor: Set<String>
        let bell: Doorbell
    }

    private let id: String
    private let channel: String
    private let keeper: ProgressKeeper
    private let client: any CommandRunner
    private let loop: any EventLoop
    private let logger: Logger
    /// Looks at this replica's own numbers of a process.
    private let check: @Sendable (_ runID: String) async -> Void
    private let waits = Mutex<[String: Wait]>([:])
    private let questions: AsyncStream<NumberQuestion>
    private let inbox: AsyncStream<NumberQuestion>.Continuation
    /// How long to wait for peers; one that is dead must not hold the feed up.
    private static let patience = Duration.milliseconds(500)
    /// An answer travels to every node of a cluster.
    private static let answersPerSecond = 20

    init(
        id: String, channel: String, keeper: ProgressKeeper, client: any CommandRunner, on loop: any EventLoop,
        logger: Logger, check: @escaping @Sendable (_ runID: String) async -> Void
    ) {
        self.id = id
        self.channel = channel
        self.keeper = keeper
        self.client = client
        self.loop = loop
        self.logger = logger
        self.check = check
        (questions, inbox) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(64))
    }

    // MARK: - The one that asks

    /// What the registers said last.
    func inform(_ log: NodeLog) {
        log.learn(through: keeper.through(of: log.runID))
        log.adopt(base: keeper.base(of: log.runID))
    }

    /// Tells the others what this replica adds to the counter, if they do not know.
    func publishBase(of log: NodeLog) async { await keeper.publish(base: log.base, of: log.runID) }

    /// Asks the living peers, and takes in what replicas have told the registers. Returns soon in any case.
    func ask(about log: NodeLog) async {
        let peers = keeper.peers.subtracting([id])
        if !peers.isEmpty { await ask(peers, about: log) }
        // Also where no peer is known: one that has just come may have numbered the process already.
        _ = await keeper.read()
        inform(log)
    }

    private func ask(_ peers: Set<String>, about log: NodeLog) async {
        let nonce = String(UInt64.random(in: .min ... .max), radix: 16)
        let bell = Doorbell(on: loop)
        waits.withLock { $0[nonce] = Wait(waitingFor: peers, bell: bell) }
        let question = NumberQuestion(nonce: nonce, runID: log.runID, asker: id)
        await withDiscardingTaskGroup { group in
            // Beside the wait: a server that does not take it must not make the wait longer. The group cancels and
            // awaits it.
            group.addTask { await self.publish(.check(question)) }
            _ = await bell.wait(upTo: Self.patience)
            group.cancelAll()
        }
        waits.withLock { $0[nonce] = nil }
    }

    // MARK: - The one that answers

    /// A message was heard on some feed; each comes by every feed.
    func hear(_ question: NumberQuestion) {
        if question.asker != id { inbox.yield(question) }
    }

    func hear(answerTo nonce: String, from replica: String) {
        let bell = waits.withLock { waits -> Doorbell? in
            waits[nonce]?.waitingFor.remove(replica)
            return waits[nonce].flatMap { $0.waitingFor.isEmpty ? $0.bell : nil }
        }
        bell?.ring()
    }

    /// Answers until cancelled, one after the other, and at most this many a second: any client may ask.
    func run() async {
        var answered: [String] = []
        var second: (begun: Duration, answers: Int) = (.zero, 0)
        for await question in questions where !answered.contains(question.nonce) {
            answered.append(question.nonce)
            if answered.count > 256 { answered.removeFirst() }
            let now = SystemClock.read().monotonic
            if now - second.begun >= .seconds(1) { second = (now, 0) }
            guard second.answers < Self.answersPerSecond else { continue }
            second.answers += 1
            await check(question.runID)
            await publish(.checked(nonce: question.nonce, replica: id))
        }
    }

    /// Again until it is taken: the question is put when a feed breaks, and the connection that should take
    /// it may have broken with it. For as long as it is waited for.
    private func publish(_ message: GroupMessage) async {
        let bell = Doorbell(on: loop)
        let deadline = SystemClock.read().monotonic + Self.patience
        while true {
            do throws(RedisError) {
                _ = try await client.send(RESPCommand("PUBLISH", channel, message.text), key: channel)
                return
            } catch {
                logger.debug("peers not asked about numbers", metadata: ["error": "\(error)"])
                if error.isPermanent { return }
            }
            guard SystemClock.read().monotonic < deadline, await bell.wait(upTo: .milliseconds(50)) != .cancelled
            else { return }
        }
    }
}
