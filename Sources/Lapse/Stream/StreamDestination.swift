package import ExpirationStream

/// Which stream gets the expirations, and how: `--stream` and its options.
package struct StreamDestination: Sendable {
    package var keys: StreamKeys
    /// The most entries of each partition; 0 for no bound.
    package var limit = 0
    /// How many replicas of a partition's master are to have an entry before it counts as handled.
    package var replicas = 0
    /// For how long what was appended is kept, to be appended again at a master that was promoted without
    /// it.
    package var retain = Duration.seconds(30)

    package init(_ keys: StreamKeys) { self.keys = keys }
}

extension WaitingRoom.Bounds {
    /// What waits for a partition of a stream must still lie within its cursor's window when the partition
    /// is back: a newer one may be the first that is appended then.
    init(for stream: StreamDestination?) {
        self.init()
        if stream != nil { distance = StreamCursor.reach }
    }
}
