import LeaderElection
import Logging
import Synchronization
import Timing

/// Takes in what the leader tells over the control channel while the registers refuse to write its progress.
///
/// Any client may publish there, so only the holder's own token counts: the registers of the lease are asked who holds it, once for
/// each token, and at most once a second.
final class ProgressListener: Sendable {
    private let id: String
    private let name: String
    private let keeper: ProgressKeeper
    private let registers: [any LeaseRegister]
    private let logger: Logger
    private let messages: AsyncStream<String>
    private let inbox: AsyncStream<String>.Continuation

    init(id: String, name: String, keeper: ProgressKeeper, registers: [any LeaseRegister], logger: Logger) {
        self.id = id
        self.name = name
        self.keeper = keeper
        self.registers = registers
        self.logger = logger
        (messages, inbox) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(16))
    }

    /// A message came in on some feed; each comes by every feed.
    func hear(_ text: String) { inbox.yield(text) }

    /// Listens until cancelled.
    func run() async {
        var holder: (leader: String, token: UInt64)?
        var askedAt: Duration?
        var last: String?
        for await text in messages where text != last {
            guard let message = SharedProgress(text), message.leader != id else { continue }
            if holder?.leader != message.leader || holder?.token != message.token {
                let now = SystemClock.read().monotonic
                if let askedAt, now - askedAt < .seconds(1) { continue }
                askedAt = now
                guard await holds(message) else { continue }
                holder = (message.leader, message.token)
                logger.notice("progress comes over the control channel", metadata: ["leader": "\(message.leader)"])
            }
            last = text
            keeper.learn(message.entries)
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
