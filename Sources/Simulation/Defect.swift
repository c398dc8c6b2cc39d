/// Deliberate mistakes, each at the simulated edge, never in the product: the simulation must find every one of them.
package enum Defect: String, CaseIterable, Sendable {
    /// The registers extend a lock for whoever asks.
    case renewWithoutOwnerCheck = "renew-without-owner-check"
    /// A lease is counted from the answers instead of from the first byte sent.
    case deadlineFromResponse = "deadline-from-response"
    /// The lease is given back while handlers still run.
    case releaseBeforeDrain = "release-before-drain"
    /// Progress counts what has begun as finished.
    case progressBeforeCompletion = "progress-before-completion"
    /// The majority is counted from the registers that could be reached at the start.
    case quorumFromReachable = "quorum-from-reachable"
    /// A new leader begins without its predecessor's progress.
    case cursorNotRestored = "cursor-not-restored"
}
