import RESP

/// One expiration on its way through the handler.
package struct Delivery: Sendable {
    let slice: LogSlice
    private(set) var entry: DeliveryEntry

    init(_ slice: LogSlice, _ entry: DeliveryEntry) {
        self.slice = slice
        self.entry = entry
    }

    package var expiration: Expiration { expiration(with: nil) }
    /// The same with its companion's value.
    func expiration(with value: [UInt8]?) -> Expiration { Expiration(slice, Int(entry.index), value: value) }

    package var keyHash: KeyHash { entry.keyHash }
    var holdsKey: Bool { entry.holdsKey }
    /// From 1.
    package var attempt: Int { Int(entry.attempt) }
    package var key: ExpirationKey { expiration.key }
    package var runID: String { slice.process.runID }
    package var node: String { slice.process.node }
    /// From 1; 0 for one that Redis never announced: it has no place in any log.
    package var ordinal: UInt64 { slice.ordinal(Int(entry.index)) }
    package var database: UInt16 { slice.database(Int(entry.index)) }
    package var origin: ExpirationOrigin { slice.origin(Int(entry.index)) }

    package var hasPosition: Bool { ordinal > 0 }
    /// When this replica heard of it, in milliseconds since 1970.
    var received: UInt64 { slice.received(Int(entry.index)) }

    /// Nil where it is not known.
    var deadline: KnownDeadline? { slice.deadline(Int(entry.index)) }

    /// The same for another attempt.
    var again: Delivery {
        var again = self
        again.entry.attempt += 1
        return again
    }

    /// The same as an attempt that was counted elsewhere.
    func numbered(_ attempt: Int) -> Delivery {
        var numbered = self
        numbered.entry.attempt = Int32(clamping: attempt)
        return numbered
    }

    /// The same, and from now on those of its key that come later wait for it: see
    /// ``DeliveryMachine/Order``.
    var holdingKey: Delivery {
        var holder = self
        holder.entry.holdsKey = true
        return holder
    }

    /// The same without its neighbours, whose keys it would keep in memory.
    var alone: Delivery {
        guard !slice.isOfOne else { return self }
        var entry = DeliveryEntry(0, entry.keyHash)
        entry.attempt = self.entry.attempt
        entry.holdsKey = self.entry.holdsKey
        return Delivery(slice.alone(Int(self.entry.index)), entry)
    }
}

/// What is a delivery's own, in a list of many.
struct DeliveryEntry: Sendable {
    let keyHash: KeyHash
    /// In its slice.
    let index: Int32
    var attempt: Int32 = 1
    /// Which of a list's slices is its own.
    var slice: Int32 = 0
    /// It has failed, and those of its key that come later wait for it. Only said in the order of the
    /// nodes: in that of the keys every one holds its key.
    var holdsKey = false

    init(_ index: Int, _ keyHash: KeyHash) {
        self.index = Int32(index)
        self.keyHash = keyHash
    }
}

extension Delivery {
    /// One that Redis never announced, found by its companion.
    ///
    /// - Parameter now: milliseconds since 1970.
    package init(_ orphan: ReconcileMachine.Orphan, at node: String, now: UInt64) {
        self.init(
            orphan.timer, database: orphan.database, process: NodeProcess(runID: "", node: node), ordinal: 0,
            origin: .reconcile, received: now)
    }

    /// One alone.
    ///
    /// - Parameter received: milliseconds since 1970.
    init(
        _ key: [UInt8], database: UInt16, process: NodeProcess, ordinal: UInt64, origin: ExpirationOrigin,
        received: UInt64,
        cursorIndex: Int? = nil
    ) {
        // Unsafe in name only: a byte has no padding.
        let bytes = unsafe key.span.bytes
        let slice = LogSlice(
            bytes, database: database, ordinal: ordinal, process: process, origin: origin, received: received,
            cursorIndex: cursorIndex)
        self.init(slice, DeliveryEntry(0, KeyHash(bytes, database: database)))
    }
}
