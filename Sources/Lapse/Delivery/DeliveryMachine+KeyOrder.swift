/// Two expirations of one key are never on their way at once, and they go in the order in which Redis
/// announced them.
extension DeliveryMachine {
    package var readyCount: Int { ready.count + due.count + turns.count }

    /// Of these the ones that are no retries.
    package var freshCount: Int { ready.count + turns.freshCount }

    /// Waiting behind their key, or until their time.
    package var waitingCount: Int { waiting.count }

    /// Whether one waits behind another of its key.
    package var isAnyKeyAwaited: Bool { keys.isAnyAwaited }

    /// Whether an expiration of this key is on its way.
    package func isUnderWay(_ key: KeyHash) -> Bool { keys.contains(key) }

    /// Takes up an expiration alone: to be handled, behind the others of its key.
    package mutating func admit(_ delivery: Delivery) {
        var entry = delivery.entry
        entry.slice = 0
        var list = DeliveryList(of: delivery.slice, reserving: 1)
        take(Int(entry.index)..<Int(entry.index) + 1, of: delivery.slice)
        admit(entry, of: delivery.slice, to: &list)
        makeReady(list, delivery.slice)
        countGivenUp()
    }

    mutating func makeReady(_ list: DeliveryList, _ slice: LogSlice) {
        switch order {
        case .ofKeys: ready.append(list)
        case .ofNodes: turns.append(list, at: slice.cursorIndex)
        }
    }

    /// Takes up a part of a stretch; each of it is to be admitted.
    mutating func take(_ indices: Range<Int>, of slice: LogSlice) {
        guard let cursor = slice.cursorIndex, !indices.isEmpty else { return }
        cursors.take(slice.ordinals(indices), at: cursor)
    }

    /// An expiration of a stretch is to be handled with the others on the list, or behind the others of its
    /// key.
    mutating func admit(_ entry: DeliveryEntry, of slice: LogSlice, to list: inout DeliveryList) {
        pendingCount += 1
        let mayGo =
            switch order {
            case .ofKeys: keys.enter(entry.keyHash)
            case .ofNodes: keys.isEmpty || !keys.contains(entry.keyHash)
            }
        if mayGo { list.append(entry) } else { wait(Delivery(slice, entry)) }
    }

    mutating func wait(_ delivery: Delivery) {
        let room = waiting.roomBehindKey
        guard let oldest = keys.wait(waiting.enter(delivery), room: room) else { return }
        waiting.leave(oldest)
        pendingCount -= 1
        givenUp.append(oldest)
    }

    /// Counts as lost what was given up since too many wait. To be called when the cursor has passed all
    /// that was admitted.
    mutating func countGivenUp() {
        guard !givenUp.isEmpty else { return }
        for delivery in givenUp {
            if let cursor = delivery.slice.cursorIndex { cursors.finish(delivery.ordinal, at: cursor, as: .lost) }
        }
        actions.surplus += givenUp
        givenUp = []
    }

    /// Up to `limit` expirations that may be handled now. Retries have every second turn: however many are
    /// due, they do not keep from the lanes what has not been tried yet.
    mutating func takeReady(_ limit: Int) -> DeliveryList {
        guard !due.isEmpty else { return ready.take(limit) }
        isTurnOfDue.toggle()
        return isTurnOfDue || ready.isEmpty ? due.take(limit) : ready.take(limit)
    }

    // MARK: - What lanes had in hand

    /// Handled, or given up for good: the next one of its key may go.
    package mutating func finish(_ delivery: Delivery, as outcome: Tally.Outcome = .handled) {
        if let cursor = delivery.slice.cursorIndex { cursors.finish(delivery.ordinal, at: cursor, as: outcome) }
        handedOut -= 1
        leave(delivery.keyHash, delivery.holdsKey)
    }

    /// These of a list have been handled, bit by bit.
    mutating func finish(_ finished: UInt64, of list: DeliveryList) {
        handedOut -= finished.nonzeroBitCount
        var rest = finished
        while rest != 0 {
            let stretch = list.stretch(rest.trailingZeroBitCount) { rest & 1 << UInt64($0) != 0 }
            finish(stretch: stretch, of: list)
            for index in stretch {
                leave(list.entry(index).keyHash, list.entry(index).holdsKey)
                rest &= rest - 1
            }
        }
    }

    /// Moves the cursor over what follows one another in one log.
    mutating func finish(stretch: Range<Int>, of list: DeliveryList) {
        let slice = list.slice(stretch.lowerBound)
        guard let cursor = slice.cursorIndex else { return }
        let first = Int(list.entry(stretch.lowerBound).index)
        cursors.finish(slice.ordinals(first..<first + stretch.count), at: cursor)
    }

    /// Not to be begun any more: it stays pending for the next leader.
    package mutating func giveBack(_ deliveries: some Collection<Delivery>) {
        switch order {
        case .ofKeys: ready.prepend(deliveries)
        case .ofNodes: turns.prepend(deliveries)
        }
        handedOut -= deliveries.count
    }

    /// One of the key is done with: the next one is ready.
    mutating func leave(_ key: KeyHash, _ heldKey: Bool) {
        pendingCount -= 1
        guard order == .ofKeys || heldKey, let next = keys.leave(key) else { return }
        waiting.leave(next)
        // What waited behind one that had failed goes alone, as that did.
        if order == .ofNodes { turns.appendAlone(next.holdingKey) } else { ready.append(next) }
    }

    /// One has failed. In the order of the nodes it is from now on alone on its way, and later ones of its
    /// key wait for it.
    ///
    /// - Returns: nil when it waits behind another one of its key that has failed.
    mutating func hold(_ delivery: Delivery) -> Delivery? {
        if order == .ofKeys || delivery.holdsKey { return delivery }
        return keys.enter(delivery.keyHash) ? delivery.holdingKey : nil
    }
}
