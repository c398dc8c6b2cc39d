/// A question about a hole: when it is put, which peers it waits for, and what the hole still lacks.
///
/// The control channel reaches only replicas that are subscribed at that moment, so the question is put
/// again, ever more rarely, until every peer has answered or the time is over, which begins when it
/// could first be put. A peer that comes is waited for, one that is gone is not.
///
/// Only while this process runs does silence mean anything: one that was stopped could not hear, and
/// what peers had answered may be gone. It begins again when it goes on, and asks under another name.
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
    /// When it was put for the first time since it began.
    private var askedFirst: Duration = .zero
    /// When it was last looked at.
    private var lastStep: Duration?
    /// How often it began again since it was looked at late.
    private var restarts = 0
    /// When it was last put, or else got its name: from then on its answers are kept for a while.
    private var openedAt: Duration?
    /// Counts the names under which it is put. A peer answers each name once, and what it answered to one
    /// that was not renewed in time is gone.
    package private(set) var round = 0
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
    /// It is looked at each 10 ms, and after a question that a server answers late. Longer, and the process
    /// may have been stopped.
    private static let longestStep = Duration.seconds(1)
    /// A server that answers always late must not hold up the log for ever.
    private static let mostRestarts = 8
    /// How long its answers are safe. A question that has to wait for its server is put some seconds after
    /// the one before.
    private static let life = RepairMailbox.life / 2

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
        let gap = lastStep.map { now - $0 } ?? .zero
        lastStep = now
        guard leads else {
            restart()
            return .wait
        }
        if hole.isUnannounced || isRefused || missing == 0 { return .over(.answered) }
        let isAnswered = wasAsked && peers.isSubset(of: answered)
        if isAnswered, !answered.isEmpty { return .over(full) }
        if gap > Self.longestStep, restarts < Self.mostRestarts || gap >= Self.life {
            restarts += 1
            restart()
        }
        guard let began else {
            began = now
            pause = .milliseconds(100)
            return ask(now)
        }
        if isAnswered, now >= began + Self.patienceAlone { return .over(full) }
        if hasHeard, wasAsked, now < askedFirst + Self.longestPatience { self.began = now }
        hasHeard = false
        guard now < (self.began ?? began) + (wasAsked ? Self.patience : Self.patienceUnasked) else {
            return .over(cut.map { .cut(through: $0) } ?? .unanswered)
        }
        guard now >= nextQuestion else { return .wait }
        pause = min(pause * 2, Self.longestPause)
        return ask(now)
    }

    /// All that peers can tell is told.
    private var full: End { cut.map { .cut(through: $0) } ?? .answered }

    private mutating func restart() {
        began = nil
        wasAsked = false
    }

    private mutating func ask(_ now: Duration) -> Step {
        nextQuestion = now + pause
        if let openedAt, now - openedAt < Self.life { return .ask }
        if openedAt != nil { round += 1 }
        openedAt = now
        return .ask
    }

    /// The question has been put.
    package mutating func asked(now: Duration) {
        // When it was sent: the process may have been stopped since.
        openedAt = lastStep ?? now
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
