/// What could not be handled is begun again later; meanwhile its key waits, and no other.
extension DeliveryMachine {
    /// Another attempt at `due`, by the monotonic clock.
    ///
    /// - Returns: false if too many wait for a retry: it is still handed out.
    @discardableResult
    package mutating func retry(_ delivery: Delivery, at due: Duration) -> Bool {
        guard waiting.hasRoom else { return false }
        guard let holder = hold(delivery.again) else {
            handedOut -= 1
            wait(delivery.again)
            countGivenUp()
            return true
        }
        delay(holder, to: due)
        return true
    }

    /// What it needs is out of reach: to be begun later, and this was no attempt. If too many wait it is
    /// lost.
    package mutating func postpone(_ delivery: Delivery, to due: Duration) {
        guard waiting.hasRoom else {
            givenUp.append(delivery)
            countGivenUp()
            handedOut -= 1
            return leave(delivery.keyHash, delivery.holdsKey)
        }
        delay(delivery, to: due)
    }

    /// What these need is away, and this was no attempt. Later ones of their keys wait for them.
    ///
    /// What has waited and is not handled yet takes room as well: else each round would take up as many
    /// again.
    ///
    /// - Returns: the last of them, if there is no room: they are still handed out, and keep their turn
    ///   when they are given back.
    package mutating func suspend(_ deliveries: [Delivery], to due: Duration) -> [Delivery] {
        var left: [Delivery] = []
        for delivery in deliveries {
            // None overtakes one that was left.
            guard left.isEmpty,
                waiting.hasRoom(beside: turns.aloneCount + self.due.count, bytes: turns.aloneBytes)
            else {
                left.append(delivery)
                continue
            }
            if let holder = hold(delivery) {
                delay(holder, to: due)
            } else {
                handedOut -= 1
                wait(delivery)
                countGivenUp()
            }
        }
        return left
    }

    private mutating func delay(_ delivery: Delivery, to due: Duration) {
        handedOut -= 1
        retries.add(waiting.enter(delivery), due: due)
    }

    /// Makes the retries ready whose time has come; returns when the next one is due, by the monotonic
    /// clock.
    package mutating func releaseDue(now: Duration) -> Duration? {
        while let delivery = retries.popDue(now: now) {
            waiting.leave(delivery)
            if order == .ofNodes { turns.appendAlone(delivery) } else { due.append(delivery) }
        }
        return retries.next
    }

    /// When the next retry is due, by the monotonic clock.
    var nextRetry: Duration? { retries.next }
}
