import DequeModule

/// What may be handled now, first come first served. A list is divided without being looked into.
struct ReadyQueue {
    private var lists: Deque<DeliveryList> = []
    /// How many of the first list have been taken.
    private var taken = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }
    var first: Delivery? { lists.first.map { $0[taken] } }

    mutating func append(_ list: DeliveryList) {
        guard !list.isEmpty else { return }
        lists.append(list)
        count += list.count
    }

    mutating func append(_ delivery: Delivery) {
        // A list that never ended would grow for ever.
        if lists.last.map({ $0.count >= Batch.limit }) ?? true { lists.append(DeliveryList(reserving: Batch.limit)) }
        lists[lists.count - 1].append(delivery)
        count += 1
    }

    /// Puts back what was taken, in front.
    mutating func prepend(_ deliveries: some Collection<Delivery>) {
        guard !deliveries.isEmpty else { return }
        var list = DeliveryList(reserving: deliveries.count)
        list.append(contentsOf: deliveries)
        if taken > 0 {
            list.append(contentsOf: lists[0][taken...])
            lists[0] = list
            taken = 0
        } else {
            lists.prepend(list)
        }
        count += deliveries.count
    }

    mutating func take(_ limit: Int) -> DeliveryList {
        var list = takeFromFirst(limit)
        // Small ones are joined; what is left of a large one goes alone, so that what follows need not be
        // copied.
        while list.count * 4 < limit, !lists.isEmpty { list.append(contentsOf: takeFromFirst(limit - list.count)) }
        return list
    }

    private mutating func takeFromFirst(_ limit: Int) -> DeliveryList {
        guard let first = lists.first else { return DeliveryList() }
        let begin = taken
        let end = min(first.count, begin + limit)
        count -= end - begin
        if end < first.count {
            taken = end
        } else {
            taken = 0
            lists.removeFirst()
        }
        return first.part(begin..<end)
    }
}
