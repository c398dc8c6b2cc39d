/// Which lane has which batch in hand. Part of the dispatcher's state, under its lock.
struct Hands {
    private var held: [Batch?]
    /// Batches of more than one that may still have some to begin.
    private var open: [Batch] = []

    init(lanes: Int) { held = Array(repeating: nil, count: lanes) }

    /// How many lanes there are.
    var count: Int { held.count }

    /// The lane begins with this batch.
    mutating func take(_ batch: Batch, _ lane: Int) {
        held[lane] = batch
        guard batch.works.count > 1 else { return }
        open.removeAll { !$0.hasMore }
        open.append(batch)
    }

    /// The lane helps with the oldest batch that has more; nil when none has.
    mutating func help(_ lane: Int) -> Batch? {
        guard let batch = open.first(where: \.hasMore) else { return nil }
        held[lane] = batch
        return batch
    }

    var hasMore: Bool { open.contains(where: \.hasMore) }

    /// What the lane has in hand; from now on nothing.
    mutating func drop(_ lane: Int) -> Batch? {
        defer { held[lane] = nil }
        return held[lane]
    }

    func forEach(_ body: (Batch) -> Void) {
        for case let batch? in held { body(batch) }
    }
}
