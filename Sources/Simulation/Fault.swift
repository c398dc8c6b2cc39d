/// One thing that goes wrong, or that an operator does.
package enum Fault: Sendable, Equatable {
    // Replicas, by place.
    case kill(replica: Int, away: Duration)
    case pause(replica: Int, for: Duration)
    /// Drains, hands over, exits and comes back.
    case restart(replica: Int, away: Duration)
    case resign(replica: Int)
    case wakeUp(replica: Int)
    /// The wall clock is set, and set right again later, if at all.
    case wallClock(replica: Int, by: Duration, backAfter: Duration?)
    // The network.
    /// So many of a hundred messages are late, lost, doubled, or cut after they were applied.
    case weather(badness: Int, for: Duration)
    /// The registers whose bits are set cannot be reached by a replica.
    case partition(replica: Int, registers: Int, for: Duration)
    // Registers.
    case registerRestart(register: Int)
    case registerDown(register: Int, for: Duration)
    /// Backwards only: a server's clock that jumps ahead ends a lock before its time, and as that server is not young nothing tells.
    case registerClock(register: Int, by: Duration)
    // Nodes and feeds.
    case feedCut(replica: Int, node: Int)
    /// What is sent disappears; the connection looks alive.
    case feedDeaf(replica: Int, node: Int)
    case allFeedsCut(node: Int, for: Duration)
    case nodeRestart(node: Int, away: Duration)
    case nodeFrozen(node: Int, for: Duration)
    case counterReset(node: Int)
    case burst(node: Int, count: Int)
    // Handlers.
    /// So many of a hundred handlers fail, and all take longer.
    case handlers(failing: Int, slower: Duration, for: Duration)
}

/// A fault and its time.
package struct PlannedFault: Sendable, Equatable, CustomStringConvertible {
    package var at: Duration
    package var fault: Fault
    /// Its place in the schedule that was drawn, for repeating a shrunk one.
    package var number: Int

    package var description: String { "#\(number) at \(at): \(fault)" }
}
