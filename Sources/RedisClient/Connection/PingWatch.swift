/// When a subscription pings, and when a node that leaves a ping unanswered counts as silent. A pure
/// value.
///
/// Bytes are the sign of life: a pong waits behind the output buffer, 34 MB in a burst. They postpone
/// the beginning of a silence, and never end one: a master frozen while another took its place
/// announces everything again, before it has learnt of its successor.
package struct PingWatch: Sendable {
    package enum Step: Sendable, Equatable {
        case none
        /// A ping is to be sent.
        case ping
        /// Nothing has come for longer than a ping may take: the node is silent, or silent again after it
        /// spoke.
        case silent
    }

    private var ticksSincePing = 0
    private var quietTicks = 0
    private var hasHeard = false
    /// A ping has been sent and not been answered.
    package private(set) var isPingOpen = false
    /// From the silence's beginning to the pong that ends it.
    package private(set) var isSilent = false
    private static let patience = 2

    package init() {}

    /// Something has arrived, were it a part of a message.
    package mutating func heard() { hasHeard = true }

    /// The pong has arrived, behind everything that the node said before. Returns whether a silence ends.
    package mutating func answered() -> Bool {
        isPingOpen = false
        defer { isSilent = false }
        return isSilent
    }

    /// About every half second. Counting ticks, not time, keeps a stall of this process from passing for
    /// the node's.
    package mutating func tick() -> Step {
        ticksSincePing += 1
        let wasQuiet = !hasHeard
        hasHeard = false
        guard isPingOpen else {
            guard ticksSincePing >= Self.patience else { return .none }
            ticksSincePing = 0
            quietTicks = 0
            isPingOpen = true
            return .ping
        }
        quietTicks = wasQuiet ? quietTicks + 1 : 0
        guard quietTicks == Self.patience else { return .none }
        isSilent = true
        return .silent
    }
}
