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
