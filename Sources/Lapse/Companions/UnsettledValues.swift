/// The companions' values that were handed out in this term and not settled: under way, to be tried
/// again, or dead-lettered. A pure value.
///
/// Every sweep finds the companion of an expiration that was given up, for it stays: nothing else holds
/// the value. Handed out by each of them, it would fill the dead letters for ever.
package struct UnsettledValues: Sendable {
    private struct Handout {
        /// The value's hash: a rewritten one is another.
        var value: Int
        /// When the expiration that got it was received: one that is given back or tried again is still the
        /// same.
        var receivedAt: UInt64
    }

    private var handouts: [ReconcileMachine.Orphan: Handout] = [:]
    private let limit: Int

    /// - Parameter limit: with this many noted no more are, and each sweep hands those out again; about 150
    ///   bytes each.
    package init(limit: Int = 65_536) { self.limit = limit }

    /// A value is about to be handed out. False when a sweep found what another expiration has brought to
    /// the handler already.
    package mutating func handOut(
        _ value: [UInt8], of timer: ReconcileMachine.Orphan, origin: ExpirationOrigin, receivedAt: UInt64
    ) -> Bool {
        let handout = Handout(value: value.hashValue, receivedAt: receivedAt)
        let former = handouts[timer]
        if origin == .reconcile, let former, former.value == handout.value, former.receivedAt != receivedAt {
            return false
        }
        if former != nil || handouts.count < limit { handouts[timer] = handout }
        return true
    }

    /// It was handled, or its timer runs again.
    package mutating func settle(_ timer: ReconcileMachine.Orphan) { handouts[timer] = nil }

    /// A term begins: what former ones gave up is tried once more.
    package mutating func begin() { handouts = [:] }
}
