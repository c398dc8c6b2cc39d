import Timing

/// Those of a batch that could not be begun, since what they need is away: see ``AnotherAttempt/whenPossible(after:others:)``.
struct Suspended: Sendable {
    private(set) var deliveries: [Delivery] = []
    private(set) var wait: Duration = .zero
    /// Nothing else can be handled either.
    private(set) var isAll = false

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

    /// One behind those that was not begun.
    mutating func keep(_ delivery: Delivery) { deliveries.append(delivery) }
}

extension Lane.Dependencies {
    /// They wait for their time while others go on. Where none can they keep their turn, and the lane rests: the log holds what comes,
    /// and no bound of the waiting room is met.
    func suspend(_ suspended: Suspended) async {
        guard !suspended.deliveries.isEmpty else { return }
        let due = SystemClock.read().monotonic + suspended.wait
        guard suspended.isAll else { return dispatcher.handBack { $0.suspend(suspended.deliveries, to: due) } }
        // Put down behind the rest, else another lane would take them meanwhile.
        _ = await clock().wait(upTo: min(suspended.wait, .milliseconds(500)))
        dispatcher.handBack { $0.giveBack(suspended.deliveries) }
    }
}
