/// What the checks let pass, all of it, each with the promise that takes its place. A run may do
/// without one, to see what hides behind it: `lapse-simulate --without NAME`.
package enum Allowance: String, CaseIterable, Sendable {
    /// A replica that was itself stopped while a master was frozen cannot tell what was announced before
    /// the frost from what was after it: within eight seconds of a replica's stop a deposed master's second
    /// announcement may be handled like the first. Never lost, at most twice.
    case stoppedWitness = "stopped-witness"
    /// A master that is frozen twice, with less than three seconds between, is believed for what it
    /// announced in between, or not: its replica announces the same again. Never lost unless the replica
    /// never takes over.
    case briefThaw = "brief-thaw"
    /// A master's replica takes its place after two seconds of absence, not sooner: what an unanswered ping
    /// needs to tell.
    case slowPromotion = "slow-promotion"
    /// A peer that began, stopped or was cut off in the last six seconds may be asked in vain: what only it
    /// had may be called lost.
    case youngPeer = "young-peer"
    /// Numbers are exact unless a counter is reset while a replica does not listen; then what is heard is
    /// handled, under whatever number.
    case unseenReset = "unseen-reset"
    /// What came in before the first mark of a subscription that ended before it has no number: it is part
    /// of the next gap.
    case unmarked
    /// A handled one may be called lost when the word that it was handled reached no majority.
    case unwrittenWord = "unwritten-word"
    /// What a leader told while the registers refused to write its followers write in its place once they
    /// take it, four times a second; a newcomer that leads within a second of that may have read before,
    /// and has not heard it, or cannot believe it where the lease was given back or a second leader has
    /// died: all that was handled meanwhile may be handled again. Never lost.
    case untoldNewcomer = "untold-newcomer"
    /// A leader whose feed was not there calls lost what a server counted without an event: never more
    /// than were counted.
    case unheardCount = "unheard-count"
    /// A counter is reset, or messages are forged, and the replica that heard it ends within five seconds,
    /// while the leader's feed is down: nothing tells the leader.
    case untoldReset = "untold-reset"
}
