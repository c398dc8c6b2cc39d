import Timing

/// Those of a batch that could not be handled, since what they need is away: see
/// ``AnotherAttempt/whenPossible(after:others:)``.
struct Suspended: Sendable {
    private(set) var deliveries: [Delivery] = []
    /// Behind them: not begun, since the lane must not.
    private(set) var left: [Delivery] = []
    private(set) var wait: Duration = .zero
    /// Nothing else can be handled either.
    private(set) var isAll = false

    /// Whether this error says that it was no attempt.
    static func takes(_ error: any Error) -> Bool {
        if case .whenPossible? = (error as? any AdvisesOnAttempts)?.anotherAttempt { true } else { false }
    }

    /// - Returns: whether it is one of those.
    mutating func take(_ delivery: Delivery, _ error: any Error) -> Bool {
        guard case .whenPossible(let wait, let others)? = (error as? any AdvisesOnAttempts)?.anotherAttempt else {
            return false
        }
        deliveries.append(delivery)
        self.wait = max(self.wait, wait)
        isAll = isAll || !others
        return true
    }

    /// One behind those that was not begun, since it waits for one of them.
    mutating func keep(_ delivery: Delivery) { deliveries.append(delivery) }

    /// The lane must not begin this one, nor what comes behind it.
    mutating func leave(_ delivery: Delivery) { left.append(delivery) }
}

extension Lane.Dependencies {
    /// They wait for their time while others go on. Where none can, or where there is no room to wait, they
    /// keep their turn, and the lane rests: the log holds what comes.
    func suspend(_ suspended: Suspended) async {
        var kept = suspended.deliveries
        if !suspended.isAll, !kept.isEmpty {
            let due = SystemClock.read().monotonic + suspended.wait
            kept = dispatcher.handBack { [kept] in $0.suspend(kept, to: due) }
        }
        // Put down behind the rest, else another lane would take them meanwhile, and at once.
        if !kept.isEmpty { _ = await clock().wait(upTo: min(suspended.wait, .milliseconds(500))) }
        // Together: one by one they would come back in the opposite order.
        let back = kept + suspended.left
        if !back.isEmpty { dispatcher.handBack { $0.giveBack(back) } }
    }
}
