/// When a subscription is to be marked, and when it is given up. One of each subscription.
package struct FeedWatch {
    /// Whose the silence is, when the node answers elsewhere.
    package enum Silence: Sendable, Equatable {
        case unknown
        /// The node has gone on all the while, only this connection is slow: what it will bring is not in
        /// doubt.
        case connection
        /// Nothing more will come from this connection.
        case dead
    }

    package enum MarkOutcome: Sendable, Equatable {
        case numbered
        /// The node took it, and the feed, which stands, did not bring it.
        case unanswered
        /// It came with a count that cannot be true.
        case unusable
        case failed
    }

    private var check = CounterCheck()
    private var isMarked = false
    private var silentLooks = 0
    /// How many looks a node that answers elsewhere may leave the feed's ping unanswered.
    private let patience: Int
    /// Something is to be found out by a mark.
    private var isMarkWanted = true
    private var lastMark: Duration?
    private var tries = 0
    /// Marks since the last one that numbered.
    private var unanswered = 0
    /// A mark travels to every node: whatever is heard or forged, a stream is marked no more often.
    private static let spacing = Duration.seconds(5)

    private var markedForPeer: Duration?
    /// How rarely a peer may have the stream marked: a mark travels to every node of a cluster.
    private static let restBetweenMarks = Duration.seconds(5)

    package init(patience: Int) { self.patience = patience }

    /// Whether the next mark is the one that gives the entries their ordinals.
    package var isFirstMark: Bool { !isMarked }

    /// Whether to mark the stream now: at once for the first time, and where exact numbers are awaited;
    /// else not so soon after the last one.
    ///
    /// - Parameters:
    ///   - now: by the monotonic clock.
    ///   - isProvisional: the leader knows of a higher base.
    ///   - isAwaited: a term begins or ends, and waits for it.
    package func isMarkDue(now: Duration, isProvisional: Bool = false, isAwaited: Bool = false) -> Bool {
        guard isMarkWanted || isProvisional else { return false }
        guard let lastMark, !isAwaited else { return true }
        return now >= lastMark + (isMarked ? Self.spacing : min(.seconds(1) * (1 << min(tries, 3)), Self.spacing))
    }

    /// Marks do not come back over the feed: one may have met a slow moment.
    package var marksGoUnanswered: Bool { unanswered >= 2 }

    /// A mark has been tried. What is numbered stays so; a mark that came to nothing is tried again.
    package mutating func marked(_ outcome: MarkOutcome, now: Duration) {
        lastMark = now
        if outcome == .numbered { isMarked = true }
        tries = isMarked ? 0 : tries + 1
        isMarkWanted = !isMarked || outcome == .unanswered || outcome == .unusable
        switch outcome {
        case .numbered: unanswered = 0
        case .unanswered: unanswered += 1
        case .unusable, .failed: break
        }
        check.settled()
    }

    /// Whether the stream may be marked for a peer's sake. - Parameter now: by the monotonic clock.
    package mutating func mayMarkForPeer(now: Duration) -> Bool {
        if let last = markedForPeer, now - last < Self.restBetweenMarks { return false }
        markedForPeer = now
        return true
    }

    package mutating func silenceChanged() { silentLooks = 0 }

    /// The node was looked at. - Parameter mended: it announces again, after it did not.
    package mutating func looked(mended: Bool) { if !isMarked || mended { isMarkWanted = true } }

    /// What its counter showed; see ``CounterCheck``.
    package mutating func saw(announced: Int64, before: UInt64, now: UInt64) {
        if check.look(announced: announced, before: before, now: now) { isMarkWanted = true }
    }

    /// It answers elsewhere, and this subscription's ping is unanswered.
    ///
    /// - Parameters:
    ///   - hasHeard: a byte has come since the look before. A pong may be far behind the bytes that come.
    ///   - hasSpoken: a byte has come since the silence began. One answer may be a frozen node's that wakes
    ///     just now; two, a look apart and without a byte here, are a running node's.
    package mutating func answersElsewhere(hasHeard: Bool, hasSpoken: Bool) -> Silence {
        guard !hasHeard else {
            silentLooks = 0
            return .unknown
        }
        silentLooks += 1
        if silentLooks >= patience { return .dead }
        return silentLooks >= 2 && !hasSpoken ? .connection : .unknown
    }
}
