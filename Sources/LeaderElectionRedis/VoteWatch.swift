package import LeaderElection
import Synchronization

/// Told of what becomes of this replica's votes.
package protocol VoteListener: Sendable {
    /// A register is about to be asked for a vote, or to renew it. What is returned is called with its
    /// answer, if it gives one: whether it holds the claim.
    func asks(_ claim: Claim, lock: String) -> @Sendable (_ isHeld: Bool) -> Void
    /// A vote is about to be given back.
    func givesBack(_ claim: Claim, lock: String)
}

/// Shared by the registers of one store.
final class VoteWatch: Sendable {
    private let listener = Mutex<(any VoteListener)?>(nil)

    func listen(_ other: any VoteListener) { listener.withLock { $0 = other } }

    func asks(_ claim: Claim, lock: String) -> @Sendable (Bool) -> Void {
        listener.withLock { $0 }?.asks(claim, lock: lock) ?? { _ in }
    }

    func givesBack(_ claim: Claim, lock: String) { listener.withLock { $0 }?.givesBack(claim, lock: lock) }
}
