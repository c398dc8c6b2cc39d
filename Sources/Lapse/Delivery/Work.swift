import RESP

/// One expiration on its way through the handler.
package struct Work: Sendable {
    private let excerpt: Excerpt
    private let index: Int32
    private var attempts: Int32 = 1
    /// Its place in the order of its key.
    package let line: KeyLine
    /// Where the machine keeps the cursor of its log.
    var place: Int32?

    init(_ excerpt: Excerpt, _ index: Int, line: KeyLine) {
        self.excerpt = excerpt
        self.index = Int32(index)
        self.line = line
    }

    package var expiration: Expiration { expiration(with: nil) }
    /// The same with its companion's value.
    func expiration(with value: [UInt8]?) -> Expiration { Expiration(excerpt, Int(index), value: value) }

    /// From 1.
    package var attempt: Int { Int(attempts) }
    package var key: ExpirationKey { expiration.key }
    var process: NodeProcess { excerpt.process }
    package var runID: String { process.runID }
    package var node: String { process.node }
    /// From 1; 0 for one that Redis never announced: it has no place in any log.
    package var ordinal: UInt64 { excerpt.ordinal(Int(index)) }
    package var database: UInt16 { excerpt.database(Int(index)) }
    package var origin: Origin { excerpt.origin(Int(index)) }
    package var hasPosition: Bool { ordinal > 0 }
    /// When this replica heard of it, in milliseconds since 1970.
    var received: UInt64 { source.excerpt.received(Int(item.index)) }

    /// The same for another attempt.
    var again: Work {
        var again = self
        again.attempts += 1
        return again
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
        self.init(excerpt, 0, line: KeyLine(bytes, database: database))
    }
}
