import LeaderElection
import Logging
import NIOCore
import RedisClient
import Synchronization
import Timing

/// Answers `lapse trace`: one question after the other, each once, and no more a second than
/// ``Allowance`` lets through.
final class TracePeer: Sendable {
    private struct State {
        var order: [String] = []
        var nonces: Set<String> = []
        /// A forged one costs a GET: these are many, so that a flood hides no true one.
        var asked = Allowance(perSecond: 200, most: 200)
        /// These are looked for in all that is kept.
        var answered = Allowance(perSecond: 5, most: 10)
    }

    private let mailbox: RepairMailbox
    private let tell: @Sendable (TraceQuestion) -> TraceAnswer
    private let logger: Logger
    private let loop: any EventLoop
    private let state = Mutex(State())
    private let questions: AsyncStream<String>
    private let inbox: AsyncStream<String>.Continuation
    private static let memory = 1024
    /// How often an answer is tried for which the account has no room.
    private static let patience = 20

    /// - Parameter tell: what this replica knows.
    init(
        client: any CommandRunner, places: RepairPlaces, on loop: any EventLoop, logger: Logger,
        tell: @escaping @Sendable (TraceQuestion) -> TraceAnswer
    ) {
        mailbox = RepairMailbox(client: client, key: places.key)
        self.tell = tell
        self.logger = logger
        self.loop = loop
        (questions, inbox) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(32))
    }

    /// A question was heard on some feed: by every feed once, and again until it is answered.
    func hear(_ nonce: String) {
        let now = SystemClock.read().monotonic
        let isNew = state.withLock { state in
            guard !state.nonces.contains(nonce), state.asked.take(now) else { return false }
            state.nonces.insert(nonce)
            state.order.append(nonce)
            if state.order.count > Self.memory { state.nonces.remove(state.order.removeFirst()) }
            return true
        }
        if isNew, case .dropped = inbox.yield(nonce) { forget(nonce) }
    }

    /// The next time it is heard it is new.
    private func forget(_ nonce: String) {
        state.withLock { state in
            state.nonces.remove(nonce)
            state.order.removeAll { $0 == nonce }
        }
    }

    /// Answers until cancelled.
    func run() async {
        for await nonce in questions {
            do throws(RedisError) { try await answer(nonce) } catch {
                logger.debug("trace not answered", metadata: ["error": "\(error)"])
                forget(nonce)
            }
        }
    }

    private func answer(_ nonce: String) async throws(RedisError) {
        let account = String(nonce.prefix { $0 != "." })
        let limit = TraceQuestion.keyLimit + 16
        guard let bytes = try await mailbox.question(at: "\(account).q", upTo: limit),
            let question = TraceQuestion(bytes: bytes)
        else { return }
        guard state.withLock({ $0.answered.take(SystemClock.read().monotonic) }) else { return forget(nonce) }
        guard let json = tell(question).json else { return }
        for _ in 0..<Self.patience {
            guard try await mailbox.put(json, nonce, of: account) == .full else { return }
            if await Doorbell(on: loop).wait(upTo: .milliseconds(50)) == .cancelled { return }
        }
    }
}
