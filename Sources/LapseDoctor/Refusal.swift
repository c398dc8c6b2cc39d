/// A right that Lapse needs on a server and does not have there.
package struct Refusal: Sendable, Equatable {
    package enum Right: String, Sendable, CaseIterable {
        /// INFO: run ID, counter, uptime.
        case info
        /// SUBSCRIBE to the expired events.
        case events
        /// SUBSCRIBE to the election's own channel.
        case control
        /// MULTI, INFO, PUBLISH, EXEC: numbering expirations.
        case marks
        /// CLUSTER NODES.
        case topology
        /// The scripts of the lease and of the progress, on their keys.
        case registers
        /// Reading, deleting and looking for companions.
        case companions
        /// Appending to the stream, and what is kept beside it.
        case appending
        /// Appending dead letters, and counting them.
        case deadLetters
        /// SUBSCRIBE to what sets TTLs.
        case hints
        /// Asking for the deadlines of the wanted keys, and sweeping.
        case punctuality

        /// Lease and delivery work without it, in another way than was asked for.
        var isDispensable: Bool {
            switch self {
            case .deadLetters, .hints, .punctuality: true
            case .info, .events, .control, .marks, .topology, .registers, .companions, .appending: false
            }
        }
    }

    package var right: Right
    /// The server's own words, or the commands that are missing.
    package var text: String

    package init(_ right: Right, _ text: String) {
        self.right = right
        self.text = text
    }
}
