/// Deliberate mistakes, each at the simulated edge, never in the product: the simulation must find
/// every one of them.
package enum Defect: String, CaseIterable, Sendable {
    /// The registers extend a lock for any replica that asks.
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

    // What was mended once, and must not come back.

    /// A look takes the view's word for the role that a server says it has.
    case ownWordFromView = "own-word-from-view"
    /// Only an answered ping is a sign of life.
    case pongOnly = "pong-only"
    /// Progress is read by a script that fails where it may not write.
    case readNeedsWrite = "read-needs-write"
    /// Followers drop by age what the progress calls unfinished.
    case pendingAges = "pending-ages"
    /// A replica keeps to itself what it knows of a reset or of forged messages.
    case baseUntold = "base-untold"
    /// A new subscription is numbered without the leader's word on how far it was.
    case floorUnknown = "floor-unknown"
    /// Replicas with other rules look like others of the group.
    case rulesUncompared = "rules-uncompared"
    /// A server is known by its address alone.
    case addressBelieved = "address-believed"

    /// An own lock that ran out is looked for in what the dead leader had left behind, too.
    case lockAnywhere = "lock-anywhere"

    /// A batch handler asks once for its lease, and not before each effect.
    case leaseAskedOnce = "lease-asked-once"
    /// A batch counts as handled though its handler gave up in the middle.
    case halfIsWhole = "half-is-whole"
    /// The next batch of a node is taken while one is on its way.
    case nodeNotAwaited = "node-not-awaited"
    /// The registers do not count terms that were not closed.
    case termsUncounted = "terms-uncounted"
    /// A careful leader does not know over what its predecessor died.
    case suspectsForgotten = "suspects-forgotten"
    /// What ended well before a leader died counts as begun.
    case endUnnoted = "end-unnoted"

    /// A base that the registers refused counts as told.
    case refusedBaseTold = "refused-base-told"
    /// An answer to a peer that was refused counts as given.
    case refusedAnswerGiven = "refused-answer-given"
    /// A try that is refused ends what its claim has, whatever a later one has won.
    case anyTryEnds = "any-try-ends"
    /// A mark that does not come back is like one that could not be made.
    case swallowedIsFailed = "swallowed-is-failed"

    /// What a leader tells its followers while the registers refuse to write is not taken in.
    case tellingUnheard = "telling-unheard"
    /// What a node counts without an event is missing like any other.
    case countedIsLost = "counted-is-lost"
    /// Each replica puts what was counted only where it finds it itself.
    case marksOfOthersPassed = "marks-of-others-passed"
    /// A lease may be renewed for longer than the rules are signed that it began under.
    case permitOutlastsSignature = "permit-outlasts-signature"

    /// A look at which no Sentinel answers has failed, whatever the servers say.
    case looksNeedSentinels = "looks-need-sentinels"
    /// While no Sentinel answers each server's word for its role is believed.
    case lastViewStands = "last-view-stands"

    /// Where it shows; nil for single faults.
    package var situation: Situation? {
        switch self {
        case .renewWithoutOwnerCheck, .deadlineFromResponse, .releaseBeforeDrain, .progressBeforeCompletion,
            .quorumFromReachable, .cursorNotRestored:
            nil
        case .ownWordFromView: .staleView
        case .pongOnly: .slowFeed
        case .readNeedsWrite: .unreadableProgress
        case .pendingAges: .longHandlers
        case .baseUntold: .halfHeardReset
        case .floorUnknown: .unheardReset
        case .rulesUncompared: .otherRules
        case .addressBelieved: .foreignNode
        case .lockAnywhere: .ownLocks
        case .refusedBaseTold, .refusedAnswerGiven: .refusedTelling
        case .anyTryEnds: .lateRefusal
        case .swallowedIsFailed: .swallowedMarks
        case .tellingUnheard: .fullStore
        case .countedIsLost, .marksOfOthersPassed: .silentTakeover
        case .permitOutlastsSignature: .otherLease
        case .looksNeedSentinels, .lastViewStands: .noSentinels
        case .leaseAskedOnce, .halfIsWhole, .nodeNotAwaited: .batches
        case .termsUncounted, .suspectsForgotten, .endUnnoted: .poison
        }
    }

    /// The run of a seed in which it may show.
    package func schedule(_ seed: UInt64) -> Schedule {
        Schedule(seed: seed, situations: situation.map { [$0] } ?? [])
    }
}
