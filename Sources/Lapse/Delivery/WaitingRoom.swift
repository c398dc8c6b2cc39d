/// What has been taken up and cannot be handled now: it waits behind another of its key, for a retry,
/// or for a companion out of reach. The logs are read past it, so that no key holds up another. A pure
/// value that counts it.
///
/// - Behind one key no more than ``Bounds/perKey`` wait, and no more than there is room left for all.
///   One always may wait, as long as the bytes suffice.
/// - All together are no more than ``Bounds/entries`` and ``Bounds/bytes``: about 40 MiB, and 300 KiB
///   of progress. A retry that finds no room becomes a dead letter.
/// - What passes a bound is the surplus of the key itself, the oldest first: lost, and counted as lost.
package struct WaitingRoom: Sendable {
    package struct Bounds: Sendable {
        /// How many may wait behind one key. At 50 a second that is as many as a log keeps in a third of its
        /// age.
        package var perKey = 1024
        package var entries = 32_768
        /// Of keys, with about what an entry costs besides its key.
        package var bytes = 32 << 20
        /// How many ordinals beyond its oldest that is not finished a log is read: then it stands until that
        /// one is.
        package var distance = UInt64.max

        package init() {}
        package init(perKey: Int, entries: Int, bytes: Int = 32 << 20, distance: UInt64 = .max) {
            self.perKey = perKey
            self.entries = entries
            self.bytes = bytes
            self.distance = distance
        }
    }

    private let bounds: Bounds
    package private(set) var count = 0
    private var bytes = 0
    /// With fewer waiting their stretches of log, some kilobytes each, may stay in memory: copies would
    /// cost more.
    private static let few = 1024

    package init(_ bounds: Bounds = Bounds()) { self.bounds = bounds }

    /// Whether one more may wait for a time.
    package var hasRoom: Bool { hasRoom(beside: 0, bytes: 0) }

    /// The same where others have waited their time, and are not handled yet.
    func hasRoom(beside others: Int, bytes othersBytes: Int) -> Bool {
        count + others < bounds.entries && bytes + othersBytes < bounds.bytes
    }

    /// How many may wait behind one key.
    var roomBehindKey: Int {
        guard bytes < bounds.bytes else { return 0 }
        return max(1, min(bounds.perKey, bounds.entries - count))
    }

    /// One begins to wait; returns it in the form in which it is to be kept.
    mutating func enter(_ delivery: Delivery) -> Delivery {
        count += 1
        bytes += delivery.cost
        return count > Self.few ? delivery.alone : delivery
    }

    mutating func leave(_ delivery: Delivery) {
        count -= 1
        bytes -= delivery.cost
    }
}

extension Delivery {
    /// About what it takes in memory while it waits.
    var cost: Int { slice.keyBytes(Int(entry.index)) + 256 }
}
