/// When a follower repeats what a leader told that has fallen silent.
///
/// A replica that begins after the leader's crash has heard nothing of what the registers refused, and
/// may lead next. It believes only the holder of the lease, dead or alive: so a telling is repeated as
/// long as the dead leader's lease may stand. For one that begins later it is written, in the leader's
/// place, as soon as the registers take it.
package struct ProgressRelay: Sendable {
    /// A leader that has something to tell does so each second.
    private static let silence = Duration.milliseconds(1_250)
    private static let spacing = Duration.milliseconds(500)
    /// Between two tries to write it, and later, when no lease can depend on it any more.
    private static let tries = (soon: Duration.milliseconds(250), late: Duration.seconds(1))
    /// The messages of one telling are few: see ``SharedProgress``.
    private static let limit = 8

    private let life: Duration
    private var telling: [SharedProgress] = []
    private var toldAt = Duration.zero
    /// When the telling was last heard, from the leader or from another follower, or repeated.
    private var lastAt = Duration.zero
    /// A replica that has begun meanwhile asks for it.
    private var isWanted = false
    private var answeredAt: Duration?
    /// What the registers may still lack of it.
    private var unwritten: [SharedProgress] = []
    private var triedAt: Duration?

    package init(lease: Duration) { life = lease + .seconds(2) }

    /// A message that is believed.
    ///
    /// - Parameter now: by the monotonic clock.
    package mutating func heard(_ message: SharedProgress, now: Duration) {
        guard !telling.contains(message) else {
            lastAt = now
            return
        }
        let (old, new) = (telling.first.map(Self.rank), Self.rank(message))
        if let old, old > new { return }
        if old.map({ $0 != new }) ?? false { telling = [] }
        if telling.count < Self.limit { telling.append(message) }
        unwritten = telling
        (toldAt, lastAt) = (now, now)
    }

    /// By the term, and by the write within it, which each telling has of its own.
    private static func rank(_ message: SharedProgress) -> (UInt64, UInt64) {
        (message.token, message.entries.map(\.write).max() ?? 0)
    }

    package var isIdle: Bool { telling.isEmpty && unwritten.isEmpty }

    /// A replica has begun, and may lead before the next repetition: it is told at once, also while the
    /// leader lives.
    package mutating func wanted() { isWanted = !telling.isEmpty }

    /// What to repeat now.
    package mutating func due(now: Duration) -> [SharedProgress] {
        // Any client may ask.
        let isAsked = isWanted && answeredAt.map { now - $0 >= Self.spacing } ?? true
        let isSilent = now - toldAt >= Self.silence && now - lastAt >= Self.spacing
        guard !telling.isEmpty, isAsked || isSilent else { return [] }
        if isAsked { answeredAt = now }
        isWanted = false
        guard now - toldAt < life else {
            telling = []
            return []
        }
        lastAt = now
        return telling
    }

    /// What to write now. A leader that lives, and is refused, tells something new each second.
    package mutating func dueToWrite(now: Duration) -> [SharedProgress] {
        let spacing = now - toldAt < life ? Self.tries.soon : Self.tries.late
        guard !unwritten.isEmpty, now - toldAt >= Self.tries.soon, triedAt.map({ now - $0 >= spacing }) ?? true
        else { return [] }
        triedAt = now
        return unwritten
    }

    /// The registers have it, or a later leader's word.
    package mutating func wrote(_ message: SharedProgress, _ outcome: ProgressKeeper.Outcome) {
        if outcome != .failed { unwritten.removeAll { $0 == message } }
    }
}
