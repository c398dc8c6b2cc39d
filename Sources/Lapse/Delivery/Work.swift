/// One expiration on its way through the handler.
package struct Work: Sendable, Equatable {
    package var runID: String
    package var node: String
    /// From 1; 0 for one that Redis never announced: it has no place in any log.
    package var ordinal: UInt64
    package var key: ExpirationKey
    package var database: UInt16
    /// Milliseconds since 1970.
    package var receivedAt: UInt64
    package var origin: Origin
    /// From 1.
    package var attempt = 1

    package var hasPosition: Bool { ordinal > 0 }

    var line: DispatchMachine.Line { DispatchMachine.Line(key: key, database: database) }
}

extension Work {
    /// One that Redis never announced, found by its companion.
    ///
    /// - Parameter now: milliseconds since 1970.
    package init(_ orphan: ReconcileMachine.Orphan, at node: String, now: UInt64) {
        self.init(
            runID: "", node: node, ordinal: 0, key: ExpirationKey(bytes: orphan.timer), database: orphan.database,
            receivedAt: now, origin: .reconcile)
    }
}
