/// How a term that ends in order leaves its last progress to its successor.
///
/// What the registers refuse is told over the control channel, and followers believe only who holds the
/// lease. So it is held on to for as long as each of them needs to hear it and to ask: a lease given
/// back in the same moment makes a follower that had not asked before repeat all that was refused.
package struct ProgressHandOver: Sendable {
    package enum Step: Sendable, Equatable {
        /// Written, or none of this term's business any more.
        case done
        /// Written again soon, and told before that if the registers refuse it.
        case tryAgain(tells: Bool)
        /// Told once more, and the lease is given back.
        case giveUp
    }

    /// A follower that has asked in vain asks again after ``ProgressListener/spacing``; what is told then
    /// it has a quarter of a second to look into.
    package static let refusedPatience = Duration.milliseconds(1_250)
    /// One telling may be lost, or find a replica that is about to subscribe.
    package static let spacing = Duration.milliseconds(250)

    private let began: Duration
    /// For registers that do not answer.
    private let patience: Duration
    private var refusedAt: Duration?
    private var toldAt: Duration?

    /// - Parameter now: by the monotonic clock.
    package init(patience: Duration, now: Duration) {
        began = now
        self.patience = patience
    }

    /// The outcome of one write.
    ///
    /// - Parameter isRefused: the registers answered, and said no.
    package mutating func wrote(_ outcome: ProgressKeeper.Outcome, isRefused: Bool, now: Duration) -> Step {
        guard outcome == .failed else { return .done }
        guard isRefused else { return now - began < patience ? .tryAgain(tells: false) : .giveUp }
        let since = refusedAt ?? now
        refusedAt = since
        guard now - since < Self.refusedPatience else { return .giveUp }
        guard toldAt.map({ now - $0 >= Self.spacing }) ?? true else { return .tryAgain(tells: false) }
        toldAt = now
        return .tryAgain(tells: true)
    }
}
