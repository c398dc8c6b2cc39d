/// What may be handled now of each node, where a node has one batch on its way at a time. A pure value.
///
/// A turn is a cursor's index; what has no cursor has a turn of its own. A node that was started again
/// has two: while one of them has a batch on its way, the other has to wait.
struct NodeTurns {
    private struct Turn {
        var fresh = ReadyQueue()
        /// To be tried again, or behind one of its key that was: each alone.
        var due = ReadyQueue()
        var isOfDue = false
        var isOnItsWay = false
        /// Of which node what is on its way is, `host:port`.
        var node: String?

        var count: Int { fresh.count + due.count }
        /// Where what is ready comes from.
        var readyNode: String? { (due.first ?? fresh.first)?.node }
    }

    private var turns: [Turn] = []
    /// The nodes that have a batch on its way: no more than there are lanes.
    private var busy: [String] = []
    private var lastOfAny = 0
    /// How many are ready, also of nodes that have a batch on its way.
    private(set) var count = 0
    private(set) var freshCount = 0
    /// Of those that go alone: see ``WaitingRoom``.
    private(set) var aloneBytes = 0
    var aloneCount: Int { count - freshCount }

    private static func turn(_ cursorIndex: Int?) -> Int { cursorIndex.map { $0 + 1 } ?? 0 }

    private mutating func reach(_ turn: Int) {
        while turns.count <= turn { turns.append(Turn()) }
    }

    /// Ready now, behind what is ready already.
    mutating func append(_ list: DeliveryList, at cursorIndex: Int?) {
        guard !list.isEmpty else { return }
        let turn = Self.turn(cursorIndex)
        reach(turn)
        turns[turn].fresh.append(list)
        count += list.count
        freshCount += list.count
    }

    /// To go alone.
    mutating func appendAlone(_ delivery: Delivery) {
        let turn = Self.turn(delivery.slice.cursorIndex)
        reach(turn)
        turns[turn].due.append(delivery)
        count += 1
        aloneBytes += delivery.cost
    }

    /// Whether something is ready of a node that has no batch on its way.
    var hasAny: Bool { turns.contains { isFree($0) } }

    private func isFree(_ turn: Turn) -> Bool {
        guard !turn.isOnItsWay, turn.count > 0 else { return false }
        return busy.isEmpty || !(turn.readyNode.map(busy.contains) ?? false)
    }

    func isOnItsWay(_ cursorIndex: Int) -> Bool {
        let turn = Self.turn(cursorIndex)
        return turn < turns.count && turns[turn].isOnItsWay
    }

    func freshCount(_ cursorIndex: Int) -> Int {
        let turn = Self.turn(cursorIndex)
        return turn < turns.count ? turns[turn].fresh.count : 0
    }

    /// A turn with something to handle, if that node has no batch on its way; nil stands for any node, one
    /// after the other.
    mutating func next(_ cursorIndex: Int?) -> Int? {
        guard let cursorIndex else {
            for offset in 1...max(turns.count, 1) where !turns.isEmpty {
                let turn = (lastOfAny + offset) % turns.count
                guard isFree(turns[turn]) else { continue }
                lastOfAny = turn
                return turn
            }
            return nil
        }
        let turn = Self.turn(cursorIndex)
        guard turn < turns.count, isFree(turns[turn]) else { return nil }
        return turn
    }

    /// Takes up to `limit`, which are on their way from now on. What is to go alone has every second turn:
    /// however many there are, they do not keep from the handler what has not been tried yet.
    mutating func take(_ turn: Int, _ limit: Int) -> (list: DeliveryList, isAlone: Bool) {
        turns[turn].isOnItsWay = true
        turns[turn].node = turns[turn].readyNode
        if let node = turns[turn].node { busy.append(node) }
        let isAlone =
            if turns[turn].due.isEmpty { false } else { !turns[turn].isOfDue || turns[turn].fresh.isEmpty }
        turns[turn].isOfDue = isAlone
        let list = isAlone ? turns[turn].due.take(1) : turns[turn].fresh.take(limit)
        count -= list.count
        if isAlone {
            aloneBytes -= list.reduce(0) { $0 + $1.cost }
        } else {
            freshCount -= list.count
        }
        return (list, isAlone)
    }

    /// Nothing of the node is on its way any more.
    mutating func isBack(_ turn: Int) {
        // What was on its way when a term ended is forgotten.
        guard turn < turns.count else { return }
        turns[turn].isOnItsWay = false
        guard let node = turns[turn].node, let index = busy.firstIndex(of: node) else { return }
        turns[turn].node = nil
        busy.swapAt(index, busy.count - 1)
        busy.removeLast()
    }

    /// Puts back what was taken of a node, in front.
    mutating func prepend(_ deliveries: some Collection<Delivery>) {
        guard let first = deliveries.first else { return }
        let turn = Self.turn(first.slice.cursorIndex)
        reach(turn)
        if first.holdsKey {
            turns[turn].due.prepend(deliveries)
            aloneBytes += deliveries.reduce(0) { $0 + $1.cost }
        } else {
            turns[turn].fresh.prepend(deliveries)
            freshCount += deliveries.count
        }
        count += deliveries.count
    }
}
