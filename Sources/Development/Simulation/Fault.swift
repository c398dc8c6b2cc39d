/// One thing that goes wrong, or that an operator does.
package enum Fault: Sendable, Equatable {
    /// In place of a replica: the one that leads when it happens.
    package static let leader = -1
    /// The first one that does not.
    package static let follower = -2

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
    /// `badness` of a hundred messages are late, lost, doubled, or cut after they were applied.
    case weather(badness: Int, for: Duration)
    /// The registers whose bits are set cannot be reached by a replica.
    case partition(replica: Int, registers: Int, for: Duration)
    // Registers.
    case registerRestart(register: Int)
    case registerDown(register: Int, for: Duration)
    /// Backwards only: a server's clock that jumps ahead ends a lock before its time, and as that server is
    /// not young nothing tells.
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
    // Whole situations.
    /// All replicas end at once, killed or in order, and come back.
    case outage(isGraceful: Bool, for: Duration)
    /// Every replica restarts in turn; so long lies between two of them.
    case rollingRestart(gap: Duration)
    /// A server accepts no subscription of this replica, and ends the one that it has.
    case feedRefused(replica: Int, node: Int, for: Duration)
    /// What a server announces reaches its subscribers one by one, in order, so far apart.
    case slowFeed(node: Int, gap: Duration, for: Duration)
    /// A graceful change of master.
    case failover(shard: Int)
    case nodeDies(node: Int)
    /// No replica reaches a Sentinel; they may go on promoting all the same.
    case sentinelsAway(promote: Bool, for: Duration)
    /// The counter rises without an event.
    case countedOnly(node: Int, count: Int)
    /// `count` messages on the event channel that the server did not count; the other servers' subscribers
    /// hear them too.
    case forge(node: Int, count: Int)
    /// Words on the control channel that no replica wrote: the how many-th of a list.
    case publish(word: Int)
    /// A server of another deployment answers at this address.
    case foreign(node: Int, for: Duration)
    /// One key, so often.
    case storm(node: Int, count: Int)
    /// The slots of the first master move to the second one, some at each look.
    case moveSlots(for: Duration)
    /// Half of the slots are between two servers.
    case stuckSlots(for: Duration)
    case refuseWrites(registers: Int, for: Duration)
    /// What replicas tell registers, and each other through a server, is refused at the first try, and
    /// taken when the same is told again.
    case refuseFirstTries(for: Duration)
    /// A register's refusals of a vote are answered late.
    case lateRefusals(for: Duration)
    /// A relay comes between a replica and a server: the feed begins anew, and no mark comes back over it.
    case swallowMarks(replica: Int, node: Int, for: Duration)
    /// The leader cannot reach a register until its lock has run out, and just then no replica listens to
    /// the server that has the lock.
    case lockUnheard(register: Int)
    /// The progress of the first log there turns into the how many-th of a list of texts.
    case damage(register: Int, text: Int)
    /// A register's replica takes its place, without its last vote, or with the vote and without its last
    /// extension.
    case registerFailover(register: Int, keepsVote: Bool)
    // Handlers.
    /// `failing` of a hundred handlers fail, and all take longer.
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

extension Fault {
    /// Whether it may come beside a situation without hiding what that is to show: a fault after which no
    /// replica can know the numbers, or whom to ask, is none.
    var isPlain: Bool {
        switch self {
        case .kill, .restart, .resign, .wakeUp, .feedCut, .burst: true
        case .pause(_, let time): time < .milliseconds(800)
        default: false
        }
    }
}

extension Fault {
    /// The node that it befalls; the first one for what befalls none.
    var node: Int {
        switch self {
        case .feedCut(_, let node), .feedDeaf(_, let node), .allFeedsCut(let node, _), .nodeRestart(let node, _),
            .nodeFrozen(let node, _), .counterReset(let node), .burst(let node, _), .feedRefused(_, let node, _),
            .slowFeed(let node, _, _), .nodeDies(let node), .countedOnly(let node, _), .forge(let node, _),
            .foreign(let node, _), .storm(let node, _), .swallowMarks(_, let node, _):
            node
        default: 0
        }
    }
}
