/// In the order of the nodes: one batch of each on its way at a time.
extension DeliveryMachine {
    /// The next batch of a node of which none is on its way; nil when there is none, or when the term is
    /// over. It is on its way until ``isBack(_:)``.
    package mutating func takeBatch(upTo limit: Int = NodeBatch.limit) -> NodeBatch? {
        while phase == .running, !isPaused, let turn = nextTurn() {
            let (list, isAlone) = turns.take(turn, limit)
            let free = isAlone ? list : free(list)
            guard !free.isEmpty else {
                turns.isBack(turn)
                continue
            }
            handedOut += free.count
            return NodeBatch(deliveries: free, turn: turn)
        }
        return nil
    }

    /// Whether a batch may be taken.
    mutating func hasBatch() -> Bool { !isPaused && nextTurn() != nil }

    /// The handler has ended: the next batch of the node may go.
    package mutating func isBack(_ batch: NodeBatch) { turns.isBack(batch.turn) }

    /// These of a batch have been handled.
    package mutating func finish(_ handled: [Range<Int>], of batch: NodeBatch) {
        for range in handled { finish(range, of: batch.deliveries) }
    }

    private mutating func finish(_ range: Range<Int>, of list: DeliveryList) {
        handedOut -= range.count
        var next = range.lowerBound
        while next < range.upperBound {
            let stretch = list.stretch(next) { $0 < range.upperBound }
            finish(stretch: stretch, of: list)
            for index in stretch { leave(list.entry(index).keyHash, list.entry(index).holdsKey) }
            next = stretch.upperBound
        }
    }

    /// A batch is not to be begun any more: it stays pending for the next leader, or waits for its turn
    /// again.
    package mutating func giveBack(_ batch: NodeBatch) {
        giveBack(batch.deliveries)
        isBack(batch)
    }

    /// Each log in turn, that a busy node leaves none of the others behind.
    private mutating func nextTurn() -> Int? {
        let all = logs.all
        let places = all.count + 1
        rotation = (rotation + 1) % places
        for offset in 0..<places {
            let place = (rotation + offset) % places
            guard place < all.count else {
                // What is left of a log that is gone has a turn as well.
                if let turn = turns.next(nil) { return turn }
                continue
            }
            let log = all[place]
            if let cursor = cursors.index(of: log.runID) {
                if turns.isOnItsWay(cursor) { continue }
                if turns.freshCount(cursor) == 0 { read(log, NodeBatch.limit) }
            } else {
                read(log, NodeBatch.limit)
            }
            if let cursor = cursors.index(of: log.runID), let turn = turns.next(cursor) { return turn }
        }
        return nil
    }

    /// It may have been taken up before another of its key failed: then it waits for that one.
    private mutating func free(_ list: DeliveryList) -> DeliveryList {
        guard !keys.isEmpty else { return list }
        var free = DeliveryList(reserving: list.count)
        for delivery in list {
            if keys.contains(delivery.keyHash) { wait(delivery) } else { free.append(delivery) }
        }
        countGivenUp()
        return free
    }
}
