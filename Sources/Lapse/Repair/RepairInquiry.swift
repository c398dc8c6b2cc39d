/// A question about a hole: when it is put, which peers it waits for, and what the hole still lacks.
///
/// The control channel reaches only replicas that are subscribed at that moment, so the question is put
/// again, ever more rarely, until every peer has answered or the time is over, which begins when it
/// could first be put. A peer that comes is waited for, one that is gone is not.
package struct RepairInquiry {
    package enum Step: Sendable, Equatable {
        case ask
        /// For answers, a few milliseconds.
        case wait
        case over(End)
    }

    /// How a question ends.
    package enum End: Sendable, Equatable {
        /// All peers have answered, or nothing is left to ask for.
        case answered
        /// A peer keeps silent.
        case unanswered
        /// A peer has more than one answer holds: everything is told through here, and the rest is to be asked
        /// for.
        case cut(through: UInt64)
    }

    private let hole: Repairer.Hole
    private var peers: Set<String>
    private var answered: Set<String> = []
    private var cut: UInt64?
    private var isRefused = false
    private var missing: UInt64
    private var nextQuestion: Duration = .zero
    private var pause: Duration = .zero
    /// Nil until the question can be put, for the first time or again.
    private var began: Duration?
    private var wasAsked = false
    /// A peer has told something, or that its connection is still bringing it.
    private var hasHeard = false
    /// When it was put for the first time since the lease was valid.
    private var askedFirst: Duration = .zero
    /// How long to wait for answers. A replica whose only feed is dead, and which hears no question, finds
    /// out within seven seconds (`PingWatch`, `FeedWatch`); one that has died drops out of the members.
    private static let patience = Duration.seconds(8)
    /// The longest time between two questions.
    private static let longestPause = Duration.seconds(1)
    /// How long to wait at most while peers go on telling.
    private static let longestPatience = Duration.seconds(60)
    /// How long to try to put the question at all.
    private static let patienceUnasked = Duration.seconds(30)
    /// How long to wait where no peer is known: one may be there that has not told of itself yet.
    private static let patienceAlone = Duration.seconds(1)

    /// - Parameter peers: the other replicas.
    package init(_ hole: Repairer.Hole, peers: Set<String>) {
        self.hole = hole
        self.peers = peers
        missing = hole.count(in: hole.ordinals)
    }

    /// The other replicas as they are known now.
    package mutating func note(peers: Set<String>) { self.peers = peers }

    /// What to do now, after the answers that are there have been taken.
    ///
    /// - Parameters:
    ///   - now: by the monotonic clock.
    ///   - leads: whether the lease is valid. One that was stopped for longer must not call lost what
    ///     another has handled since: if its lease comes back, it begins again.
    package mutating func next(now: Duration, leads: Bool) -> Step {
        guard leads else {
            began = nil
            return .wait
        }
        if hole.isUnannounced || isRefused || missing == 0 { return .over(.answered) }
        guard let began else {
            began = now
            wasAsked = false
            pause = .milliseconds(100)
            nextQuestion = now + pause
            return .ask
        }
        if wasAsked, peers.isSubset(of: answered), !answered.isEmpty || now >= began + Self.patienceAlone {
            return .over(cut.map { .cut(through: $0) } ?? .answered)
        }
        if hasHeard, wasAsked, now < askedFirst + Self.longestPatience { self.began = now }
        hasHeard = false
        guard now < (self.began ?? began) + (wasAsked ? Self.patience : Self.patienceUnasked) else {
            return .over(cut.map { .cut(through: $0) } ?? .unanswered)
        }
        guard now >= nextQuestion else { return .wait }
        pause = min(pause * 2, Self.longestPause)
        nextQuestion = now + pause
        return .ask
    }

    /// The question has been put.
    package mutating func asked(now: Duration) {
        guard !wasAsked else { return }
        wasAsked = true
        began = now
        askedFirst = now
    }

    /// It may not be put: that is over.
    package mutating func refused() { isRefused = true }

    /// Takes one answer in.
    package mutating func take(_ answer: RepairAnswer, into logs: LogSet, look: Int, now: UInt64) {
        switch answer {
        case .heard(let expirations):
            hasHeard = true
            let wanted = expirations.filter { hole.lacks($0.ordinal) }
            missing -= min(missing, UInt64(logs[hole.runID]?.insert(wanted, look: look, now: now) ?? 0))
        case .more(let replica, let through):
            guard hole.ordinals.contains(through) else { return }
            answered.insert(replica)
            cut = min(cut ?? through, through)
        case .done(let replica, let processes):
            answered.insert(replica)
            logs.learn(of: processes, now: now)
        }
    }
}
