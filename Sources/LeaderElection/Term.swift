import Timing

/// One uninterrupted leadership, as its body sees it.
///
/// The body's task is cancelled when the term must end at once. Before a graceful end it is asked to
/// drain: it then finishes what it has begun, and returns; the lease is kept until it has. A body that
/// knows nothing of draining may simply run until it is cancelled at the drain limit.
public struct Term: Sendable {
    /// Grows from term to term.
    public let number: UInt64
    /// Grows strictly from term to term: hand it to every resource that can check it.
    public let token: FencingToken
    /// Ask it before every effect.
    public let lease: Lease
    /// The claim that the registers hold, for code that writes beside the lock and must prove to be its
    /// owner.
    package let claim: Claim

    let drain = Gate()

    /// - Parameter claim: what the lease rests on.
    package init(number: UInt64, token: FencingToken, lease: Lease, claim: Claim) {
        self.number = number
        self.token = token
        self.lease = lease
        self.claim = claim
    }

    /// Whether the body was asked to finish, or must have.
    public var isDrainRequested: Bool { drain.isOpen || lease.isEnded }

    /// Returns when the body shall finish what it does and return, or when its task is cancelled.
    public func drainRequested() async {
        await drain.wait()
    }
}
