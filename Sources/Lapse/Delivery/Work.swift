import RESP

/// One expiration on its way through the handler.
package struct Work: Sendable {
    let source: WorkSource
    private(set) var item: WorkItem

    init(_ source: WorkSource, _ item: WorkItem) {
        self.source = source
        self.item = item
    }

    package var expiration: Expiration { expiration(with: nil) }
    /// The same with its companion's value.
    func expiration(with value: [UInt8]?) -> Expiration {
        Expiration(source.excerpt, Int(item.index), value: value)
    }

    /// Its place in the order of its key.
    package var line: KeyLine { item.line }
    /// From 1.
    package var attempt: Int { Int(item.attempt) }
    package var key: ExpirationKey { expiration.key }
    package var runID: String { source.excerpt.process.runID }
    package var node: String { source.excerpt.process.node }
    /// From 1; 0 for one that Redis never announced: it has no place in any log.
    package var ordinal: UInt64 { source.ordinal(of: item) }
    package var database: UInt16 { source.excerpt.database(Int(item.index)) }
    package var origin: Origin { source.excerpt.origin(Int(item.index)) }

    package var hasPosition: Bool { ordinal > 0 }
    /// When this replica heard of it, in milliseconds since 1970.
    var received: UInt64 { source.excerpt.received(Int(item.index)) }

    /// The same for another attempt.
    var again: Work {
        var again = self
        again.item.attempt += 1
        return again
    }
}

/// What expirations of one stretch of a log have in common.
struct WorkSource: Sendable {
    let excerpt: Excerpt
    /// Where the machine keeps the cursor of the log; nil for what has no place in any log.
    var place: Int?
    /// The excerpt's own, at hand.
    private let first: UInt64

    init(_ excerpt: Excerpt, place: Int?) {
        self.excerpt = excerpt
        self.place = place
        first = excerpt.ordinal(0)
    }

    func ordinal(of item: WorkItem) -> UInt64 { first + UInt64(item.index) }

    /// - Parameter indices: at least one.
    func ordinals(_ indices: Range<Int>) -> ClosedRange<UInt64> {
        first + UInt64(indices.lowerBound)...first + UInt64(indices.upperBound) - 1
    }
}

/// What is an expiration's own.
struct WorkItem: Sendable {
    let line: KeyLine
    /// In its excerpt.
    let index: Int32
    var attempt: Int32 = 1
    /// Which of a list's sources is its own.
    var source: Int32 = 0

    init(_ index: Int, line: KeyLine) {
        self.index = Int32(index)
        self.line = line
    }
}

extension Work {
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
        _ key: [UInt8], database: UInt16, process: NodeProcess, ordinal: UInt64, origin: Origin, received: UInt64
    ) {
        // Unsafe in name only: a byte has no padding.
        let bytes = unsafe key.span.bytes
        let excerpt = Excerpt(
            bytes, database: database, ordinal: ordinal, process: process, origin: origin, received: received)
        self.init(WorkSource(excerpt, place: nil), WorkItem(0, line: KeyLine(bytes, database: database)))
    }
}
