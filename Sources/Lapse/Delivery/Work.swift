/// One expiration on its way through the handler.
package struct Work: Sendable, Equatable {
    package let expiration: Expiration
    /// Its place in the order of its key.
    package let line: KeyLine
    /// From 1.
    package var attempt = 1
    /// Where the machine keeps the cursor of its log.
    var place: Int?

    package init(_ expiration: Expiration, line: KeyLine) {
        self.expiration = expiration
        self.line = line
    }

    package var key: ExpirationKey { expiration.key }
    package var runID: String { expiration.process.runID }
    package var node: String { expiration.process.node }
    /// From 1; 0 for one that Redis never announced: it has no place in any log.
    package var ordinal: UInt64 { expiration.ordinal }
    package var database: UInt16 { expiration.databaseNumber }
    package var origin: Origin { expiration.origin }
    package var hasPosition: Bool { ordinal > 0 }
}

extension Work {
    /// One that Redis never announced, found by its companion.
    ///
    /// - Parameter now: milliseconds since 1970.
    package init(_ orphan: ReconcileMachine.Orphan, at node: String, now: UInt64) {
        self.init(
            Expiration(
                key: ExpirationKey(bytes: orphan.timer), database: orphan.database,
                process: NodeProcess(runID: "", node: node), ordinal: 0, origin: .reconcile, receivedMilliseconds: now),
            // Unsafe in name only: a byte has no padding.
            line: KeyLine(unsafe orphan.timer.span.bytes, database: orphan.database))
    }
}
