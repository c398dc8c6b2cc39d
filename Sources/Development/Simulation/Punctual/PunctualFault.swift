/// One thing that goes wrong where servers are made punctual. A shard stands for its present master.
package enum PunctualFault: Sendable, Equatable {
    // Hints.
    /// Hints are up to two seconds late, and out of order.
    case hintsLate(for: Duration)
    /// The connection of the hints is cut; that is noticed later.
    case hintsCut(shard: Int, noticedAfter: Duration)
    /// Hints that no server sent, of keys that are there and of keys that are not.
    case forged(shard: Int, count: Int)
    /// One key's TTL is set every few milliseconds.
    case storm(key: Int, for: Duration)
    /// A third of the keys get one deadline.
    case burst(in: Duration)
    // Servers and the network to them.
    /// The server's clock is set.
    case clock(shard: Int, by: Duration)
    /// CLIENT PAUSE WRITE: overdue keys are said to be gone, and are not announced.
    case pause(shard: Int, for: Duration)
    /// The server answers nothing.
    case stall(shard: Int, for: Duration)
    /// The connection of the questions breaks.
    case cut(shard: Int)
    /// Every message takes up to 60 ms.
    case slow(for: Duration)
    // Who owns what, and who leads.
    /// A slot moves to the shard so many places further on, key by key; nil: all at once, and without
    /// hints.
    case move(slot: Int, further: Int, for: Duration?)
    /// The writes are paused for so long, then the standby is the master. The view follows later.
    case failover(shard: Int, pause: Duration, viewLag: Duration)
    /// The master dies, and its standby takes over without the last writes of some keys.
    case crash(shard: Int, promotedAfter: Duration, viewLag: Duration)
    /// Another replica leads, with nothing in hand.
    case leader(after: Duration)
}

/// A fault and its time.
package struct PlannedPunctualFault: Sendable, Equatable, CustomStringConvertible {
    package var at: Duration
    package var fault: PunctualFault
    /// Its place in the schedule that was drawn, for repeating a shrunk one.
    package var number: Int

    package var description: String { "#\(number) at \(at): \(fault)" }
}
