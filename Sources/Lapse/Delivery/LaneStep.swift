/// What a lane does with an expiration in hand.
package enum LaneStep: Sendable, Equatable {
    case begin
    /// Not now: a clock says that the lease has lapsed, but the term has not been ended. A clock that was
    /// set wrong may be set right again, and then the lanes must still be there.
    case wait
    /// The term is over for it.
    case leave

    /// - Parameters:
    ///   - leaseIsValid: by the clocks, now.
    ///   - mustEnd: the lane's task was cancelled, or the term is to drain or has ended.
    package init(leaseIsValid: Bool, mustEnd: Bool) {
        self = mustEnd ? .leave : leaseIsValid ? .begin : .wait
    }
}

/// What a lane of a careful leader does with an expiration in hand.
enum CarefulStep: Sendable {
    case begin
    /// Not to be begun: it keeps its turn when the lane gives it back.
    case leave
    /// The lane has it no more: it waits, or is buried.
    case isSeenTo
}
