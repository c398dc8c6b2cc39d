package import RedisClient
import Synchronization

/// The log of one node process, shared between the feed that fills it and the dispatcher that empties
/// it.
package final class NodeLog: Sendable {
    /// What the feed counted.
    package struct Counts: Sendable {
        /// Messages on the event channels.
        package var received: UInt64 = 0
        /// Messages that Redis did not count: forged.
        package var surplus: UInt64 = 0
        package var entries = 0
        package var bytes = 0
        /// Announced and known to be the last.
        package var last: UInt64?
        /// Counted by the node in connections that stood, since anything was last heard.
        package var unheard: UInt64 = 0
    }

    struct State: ~Copyable {
        var log: ExpirationLog
        var numbering = Numbering()
        /// This replica hears the process for the first time, and has not asked its peers about its numbers
        /// yet.
        var awaitsPeers = false
        var provenanceIsDoubted = false
        /// An earlier silence was not settled when the last one began.
        var wasInDoubt = false
        /// Some came while a look was under way: the next one decides about them.
        var awaitsLook = false
        /// Counts the silences.
        var silences = 0
        /// The node was found deposed: what it announces later was announced after the looks before this one.
        var since = 0
        var received: UInt64 = 0
        var surplus: UInt64 = 0
        var unheard: UInt64 = 0
        /// A peer found that the node announced nothing: what it counted until then was silenced. Since the
        /// last mark, and before the pinned one.
        var isSilencedSinceMark = false
        var isSilencedBeforeMark = false
        /// Another process was listened to at this address before: see ``NodeLog/owesEverything()``.
        var isSuccessor = false
        /// The ordinal before the first one heard.
        var baseline: UInt64?
        var subscribed = false
        var unannounced = UnannouncedOrdinals()
        /// See ``NodeLog/takeFound()``.
        var found: [ClosedRange<UInt64>] = []
        /// Finished through here, says the leader.
        var settled: UInt64 = 0
        /// A leader's progress speaks of it: what that does not call finished is kept, whatever its age.
        var isFollowed = false
        /// The leader stands before an entry that nothing proves to count or not: such a one waits no longer
        /// than the log's age.
        var isUnproven = false
        /// When the last subscription ended, in milliseconds since 1970.
        var endedAt: UInt64?
        /// What of the log the budget knows.
        var charged = 0

        /// Whether its numbers may still change.
        var isProvisional: Bool { subscribed && (numbering.isProvisional || awaitsPeers) }
    }

    /// Where the process was last met, with what is made of it once.
    private struct Whereabouts {
        let address: NodeAddress
        let node: String
        let process: NodeProcess
        /// In a cluster; nil while no feed has met it.
        var nodeID: String?

        init(_ runID: String, _ address: NodeAddress, nodeID: String? = nil) {
            self.nodeID = nodeID
            self.address = address
            node = "\(address)"
            process = NodeProcess(runID: runID, node: node)
        }
    }

    package let runID: String
    private let whereabouts: Mutex<Whereabouts>
    let state: Mutex<State>
    let limitBytes: Int
    let limitAge: Duration
    let budget: LogBudget?
    private let shed: ShedChunks?

    /// - Parameter isSuccessor: the process took the place of one that was listened to: everything that it
    ///   announced is owed, whether a replica heard it or not.
    package init(
        runID: String, address: NodeAddress, limitBytes: Int, limitAge: Duration, isSuccessor: Bool = false,
        budget: LogBudget? = nil, chunkBytes: Int? = nil, shed: ShedChunks? = nil
    ) {
        self.shed = shed
        self.runID = runID
        whereabouts = Mutex(Whereabouts(runID, address))
        self.limitBytes = limitBytes
        self.limitAge = limitAge
        self.budget = budget
        let chunk = chunkBytes ?? min(32 << 10, max(1 << 10, limitBytes / 16))
        state = Mutex(
            State(log: ExpirationLog(chunkBytes: chunk, shedsChunks: shed != nil), isSuccessor: isSuccessor))
    }

    package var address: NodeAddress { whereabouts.withLock { $0.address } }
    /// The address as text.
    package var node: String { whereabouts.withLock { $0.node } }
    var process: NodeProcess { whereabouts.withLock { $0.process } }

    /// The process has been met at another address.
    func move(to address: NodeAddress) {
        whereabouts.withLock { $0 = Whereabouts(runID, address, nodeID: $0.nodeID) }
    }

    /// The cluster node that the process is, or was.
    var nodeID: String? { whereabouts.withLock { $0.nodeID } }
    func belongs(to nodeID: String?) { whereabouts.withLock { $0.nodeID = nodeID } }

    deinit { state.withLock { budget?.add(-$0.charged) } }

    /// Tells the budget what the log has come to, and passes on what it has let go.
    func charge(_ state: inout State) {
        if state.log.hasShed { shed?.take(state.log.takeShed(), of: process) }
        let footprint = state.log.footprint
        guard let budget, footprint != state.charged else { return }
        budget.add(footprint - state.charged)
        state.charged = footprint
    }

    /// What the log takes in memory.
    package var footprint: Int { state.withLock { $0.log.footprint } }

    /// Drops the oldest until the log takes no more than this.
    package func trim(toFootprint limit: Int) {
        state.withLock { state in
            state.log.trim(toFootprint: limit)
            charge(&state)
        }
    }

    package var counts: Counts {
        state.withLock { state in
            Counts(
                received: state.received, surplus: state.surplus, entries: state.log.count, bytes: state.log.bytes,
                last: state.numbering.last, unheard: state.unheard)
        }
    }

    /// Whether a feed is filling it now.
    package var isSubscribed: Bool { state.withLock { $0.subscribed } }

    /// When the last feed ended, in milliseconds since 1970; nil while one fills it, or before there was
    /// one.
    var endedAt: UInt64? { state.withLock { $0.endedAt } }

    /// Begins a subscription, unless another one fills the log already.
    package func claim() -> Bool {
        state.withLock { state in
            guard !state.subscribed else { return false }
            state.subscribed = true
            state.endedAt = nil
            state.numbering.begin()
            return true
        }
    }

    /// Whether nothing is left of it that the leader has not finished, and it was not filled for `age`
    /// milliseconds.
    package func isOver(now: UInt64, after age: UInt64) -> Bool {
        state.withLock { state in
            guard let endedAt = state.endedAt, !state.subscribed else { return false }
            // What its bounds have dropped and no leader has passed is still to be counted as lost.
            guard state.log.count == 0, state.numbering.last ?? 0 <= max(state.settled, state.baseline ?? 0) else {
                return false
            }
            return now > endedAt + age
        }
    }

    /// What the leader adds to the node's counter (see ``Numbering``).
    package var base: Int64 { state.withLock { $0.numbering.base } }

    /// Where a leader begins that finds no progress: before the first expiration heard, or with a node that
    /// has restarted before its first one. Nil before the first mark.
    package var baseline: UInt64? { state.withLock { $0.baseline } }

    /// What the node counted and did not announce.
    package var unannounced: UnannouncedOrdinals { state.withLock { $0.unannounced } }

    /// All that is kept, to be read without holding up the feed.
    var kept: [LogChunk] { state.withLock { $0.log.chunks } }

    /// The first ordinal kept.
    package var firstOrdinal: UInt64? { state.withLock { $0.log.firstOrdinal } }
    package var lastOrdinal: UInt64? { state.withLock { $0.log.lastOrdinal } }
}
