import Synchronization

/// Expirations handed out together. One lane begins with them, and lanes that have nothing to do help.
///
/// To begin one and to finish one are an atomic step each. What is finished counts when a holder of the
/// dispatcher's lock looks: it is not waited for, and a reader of the cursors has looked before.
package final class Batch: Sendable {
    /// As many as one word has bits.
    package static let limit = UInt64.bitWidth

    package let deliveries: DeliveryList
    private let begun = Atomic(0)
    private let finished = Atomic<UInt64>(0)
    /// Those of `finished` that have been counted. Touched with the dispatcher's lock held.
    private let counted = Atomic<UInt64>(0)

    init(_ deliveries: DeliveryList) {
        precondition(deliveries.count <= Self.limit)
        self.deliveries = deliveries
    }

    /// The index of the next one that is not begun; nil if there is none.
    func begin() -> Int? {
        // A lane that comes too late leaves no trace: others still read here.
        guard hasMore else { return nil }
        let index = begun.wrappingAdd(1, ordering: .relaxed).oldValue
        return index < deliveries.count ? index : nil
    }

    var hasMore: Bool { begun.load(ordering: .relaxed) < deliveries.count }

    /// What is not begun, and will not be begun any more.
    func close() -> Slice<DeliveryList> {
        let first = begun.exchange(deliveries.count, ordering: .relaxed)
        return deliveries[min(first, deliveries.count)...]
    }

    func finish(_ index: Int) {
        // In one order with the check whether a lane waits for a key.
        finished.bitwiseOr(1 << UInt64(index), ordering: .sequentiallyConsistent)
    }

    /// What was finished since the last look, a bit each.
    func count() -> UInt64 {
        let now = finished.load(ordering: .sequentiallyConsistent)
        return now & ~counted.exchange(now, ordering: .relaxed)
    }
}
