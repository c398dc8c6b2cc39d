package import RedisClient

/// What `--fix` did, or could not do, on one server.
package struct DoctorRepair: Sendable, Equatable {
    package var node: NodeAddress
    /// As typed on that server.
    package var command: String
    package var isApplied: Bool
    package var detail: String
}
