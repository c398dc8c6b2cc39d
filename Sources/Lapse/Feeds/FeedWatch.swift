/// When a subscription is to be marked, and when it is given up. One of each subscription.
package struct FeedWatch {
    private var check = CounterCheck()
    private var isMarked = false
    private var silentLooks = 0
    /// How many looks a node that answers elsewhere may leave the feed's ping unanswered.
    private let patience: Int
    /// The stream is to be marked now.
    package private(set) var isMarkDue = true

    private var markedForPeer: Duration?
    /// How rarely a peer may have the stream marked: a mark travels to every node of a cluster.
    private static let restBetweenMarks = Duration.seconds(5)

    package init(patience: Int) { self.patience = patience }

    /// Whether the next mark is the one that gives the entries their ordinals.
    package var isFirstMark: Bool { !isMarked }

    /// A mark has been tried. - Parameter isKnown: whether the numbering is known.
    package mutating func marked(isKnown: Bool) {
        isMarked = isKnown
        check.settled()
    }

    /// Whether the stream may be marked for a peer's sake. - Parameter now: by a clock that nobody sets.
    package mutating func mayMarkForPeer(now: Duration) -> Bool {
        if let last = markedForPeer, now - last < Self.restBetweenMarks { return false }
        markedForPeer = now
        return true
    }

    package mutating func silenceChanged() { silentLooks = 0 }

    /// The node was looked at. - Parameter mended: it announces again, after it did not.
    package mutating func looked(mended: Bool) { isMarkDue = !isMarked || mended }

    /// What its counter showed; see ``CounterCheck``.
    package mutating func saw(announced: Int64, before: UInt64, now: UInt64) {
        if check.look(announced: announced, before: before, now: now) { isMarkDue = true }
    }

    /// It answers elsewhere, and this subscription's ping is unanswered. Returns whether only this connection is dead.
    package mutating func answersElsewhere() -> Bool {
        silentLooks += 1
        return silentLooks >= patience
    }
}
