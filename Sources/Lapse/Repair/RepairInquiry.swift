/// A leader's question about a hole: when it is put, whom it still waits for, and what the hole still lacks.
///
/// The control channel reaches whoever is subscribed at that moment: when a lone server has restarted, or is frozen, that may be
/// nobody. So the question is put again, ever more rarely, until everybody has answered or the time is over; and the time begins
/// when it could be put for the first time.
package struct RepairInquiry {
    package enum Step: Sendable, Equatable {
        case ask
        /// For answers, a few milliseconds.
        case wait
        case over(End)
    }

    /// How a question ends.
    package enum End: Sendable {
        /// Everybody has answered, or there is nothing left to ask for.
        case answered
        /// Somebody keeps silent.
        case unanswered
    }

    private let runID: String
    private let ordinals: ClosedRange<UInt64>
    private var waitingFor: Set<String>
    private var missing: UInt64
    private var nextQuestion: Duration = .zero
    private var pause: Duration = .zero
    /// Nil until the question can be put, for the first time or again.
    private var began: Duration?
    private var wasAsked = false
    /// How long to wait for answers.
    private static let patience = Duration.seconds(2)
    /// How long to try to put the question at all.
    private static let patienceUnasked = Duration.seconds(30)

    /// - Parameter peers: the other replicas.
    package init(_ hole: Repairer.Hole, peers: Set<String>) {
        runID = hole.runID
        ordinals = hole.ordinals
        waitingFor = hole.isUnannounced ? [] : peers
        missing = UInt64(hole.ordinals.count)
    }

    /// What to do now, after the answers that are there have been taken.
    ///
    /// - Parameters:
    ///   - now: by a clock that nobody sets.
    ///   - leads: whether the lease is valid. One that was stopped for longer must not call lost what another has handled since: if
    ///     its lease comes back, it begins again.
    package mutating func next(now: Duration, leads: Bool) -> Step {
        guard leads else {
            began = nil
            return .wait
        }
        if waitingFor.isEmpty || missing == 0 { return .over(.answered) }
        guard let began else {
            began = now
            wasAsked = false
            pause = .milliseconds(100)
            nextQuestion = now + pause
            return .ask
        }
        guard now < began + (wasAsked ? Self.patience : Self.patienceUnasked) else { return .over(.unanswered) }
        guard now >= nextQuestion else { return .wait }
        pause *= 2
        nextQuestion = now + pause
        return .ask
    }

    /// The question has been put.
    package mutating func asked(now: Duration) {
        guard !wasAsked else { return }
        wasAsked = true
        began = now
    }

    /// It may not be put: that is over.
    package mutating func refused() { waitingFor = [] }

    /// Takes one answer in.
    package mutating func take(_ answer: RepairAnswer, into logs: LogBook, look: Int, now: UInt64) {
        switch answer {
        case .heard(let expirations):
            let wanted = expirations.filter { ordinals.contains($0.ordinal) }
            missing -= min(missing, UInt64(logs[runID]?.insert(wanted, look: look, now: now) ?? 0))
        case .done(let replica, let processes):
            waitingFor.remove(replica)
            logs.learn(of: processes, now: now)
        }
    }
}
