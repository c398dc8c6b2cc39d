import LeaderElection
import Logging
import NIOCore
import Synchronization
import Timing

/// Takes in what the leader tells over the control channel while the registers refuse to write its
/// progress; what a silent leader has told is repeated for replicas that begin meanwhile, and written
/// once that is possible (``ProgressRelay``), and one that begins asks for it.
///
/// Any client may publish there, so only the lease holder's token counts: the registers are asked for
/// the holder once for each token, and at most once a second.
final class ProgressListener: Sendable {
    /// Between two questions to the registers.
    static let spacing = Duration.seconds(1)

    private let id: String
    private let name: String
    private let keeper: ProgressKeeper
    private let registers: [any LeaseRegister]
    private let logger: Logger
    /// The token of this replica's own last term: what it told itself is no news.
    private let ownToken: @Sendable () -> UInt64
    /// False for what the servers did not take.
    private let publish: @Sendable (GroupMessage) async -> Bool
    private let relay: Mutex<ProgressRelay>
    private let bell: Doorbell
    /// Rung when the first subscription stands: the answer can be heard.
    private let hearing: Doorbell
    private let messages: AsyncStream<String>
    private let inbox: AsyncStream<String>.Continuation

    init(
        id: String, name: String, lease: Duration, keeper: ProgressKeeper, registers: [any LeaseRegister],
        on loop: any EventLoop, logger: Logger, ownToken: @escaping @Sendable () -> UInt64,
        publish: @escaping @Sendable (GroupMessage) async -> Bool
    ) {
        self.id = id
        self.name = name
        self.keeper = keeper
        self.registers = registers
        self.logger = logger
        self.ownToken = ownToken
        self.publish = publish
        relay = Mutex(ProgressRelay(lease: lease))
        bell = Doorbell(on: loop)
        hearing = Doorbell(on: loop)
        (messages, inbox) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(16))
    }

    /// A message came in on some feed; each comes by every feed.
    func hear(_ text: String) { inbox.yield(text) }

    /// A replica that begins asks for what the leader told before.
    func hearWanted() {
        relay.withLock { $0.wanted() }
        bell.ring()
    }

    /// A subscription stands.
    func subscribed() { hearing.ring() }

    /// Listens, and repeats what a silent leader told, until cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            // Both end with the group, which awaits them.
            group.addTask { await self.listen() }
            group.addTask { await self.ask() }
            while await bell.wait(upTo: relay.withLock { $0.isIdle } ? .seconds(3_600) : .milliseconds(250))
                != .cancelled
            {
                let due = relay.withLock { $0.due(now: SystemClock.read().monotonic) }
                for message in due where message.token > ownToken() { _ = await publish(.progress(message.text)) }
                await passOn()
            }
            group.cancelAll()
        }
    }

    /// For a replica that begins when the lease is given back: it believes no telling, and reads.
    private func passOn() async {
        for message in relay.withLock({ $0.dueToWrite(now: SystemClock.read().monotonic) }) {
            let isOver = message.token <= ownToken()
            let outcome = isOver ? .fenced : await keeper.passOn(message.entries, token: message.token)
            relay.withLock { $0.wrote(message, outcome) }
        }
    }

    /// Once in this replica's life: later it hears each telling itself.
    private func ask() async {
        var backoff = Backoff(first: .milliseconds(50), cap: .seconds(2))
        guard await hearing.wait(upTo: nil) == .rung else { return }
        while !Task.isCancelled, await !publish(.wanted) {
            if await hearing.wait(upTo: backoff.next()) == .cancelled { return }
        }
    }

    private func listen() async {
        var holder: (leader: String, token: UInt64)?
        var askedAt: Duration?
        var last: (text: String, message: SharedProgress)?
        for await text in messages {
            let now = SystemClock.read().monotonic
            if let last, last.text == text {
                relay.withLock { $0.heard(last.message, now: now) }
                continue
            }
            // A restarted replica keeps its id, and its former life may have told what it needs now.
            guard let message = SharedProgress(text), message.leader != id || message.token != ownToken() else {
                continue
            }
            if holder?.leader != message.leader || holder?.token != message.token {
                if let askedAt, now - askedAt < Self.spacing { continue }
                askedAt = now
                guard await holds(message) else { continue }
                holder = (message.leader, message.token)
                logger.notice("progress comes over the control channel", metadata: ["leader": "\(message.leader)"])
            }
            last = (text, message)
            keeper.learn(message.entries)
            relay.withLock { $0.heard(message, now: now) }
            bell.ring()
        }
    }

    /// Whether a majority of the registers is held by this leader, under this token.
    private func holds(_ message: SharedProgress) async -> Bool {
        let seen = await withTaskGroup(of: Observation?.self) { group in
            for register in registers {
                group.addTask { [name] in try? await register.observe(name) }
            }
            return await group.reduce(into: [Observation]()) { seen, one in
                if let one { seen.append(one) }
            }
        }
        return Self.isHolder(message.leader, message.token, seen, of: registers.count)
    }

    static func isHolder(_ leader: String, _ token: UInt64, _ seen: [Observation], of registers: Int) -> Bool {
        seen.count { $0.leader == leader } > registers / 2 && seen.map(\.token.rawValue).max() == token
    }
}
