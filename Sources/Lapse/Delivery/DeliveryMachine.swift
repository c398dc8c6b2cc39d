package import LeaderElection
package import RedisClient

/// What a leader decides about the expirations in its logs: which to take up, to hand out, to pass
/// over, to ask its peers for.
///
/// A term lasts from ``begin(token:progress:now:)`` to ``end()``. No I/O, no clock, no waiting: the
/// ``Dispatcher`` shares it between lanes, the simulation drives it through simulated time.
package struct DeliveryMachine {
    package enum Phase: Sendable { case idle, running, draining }

    /// What others are to do or to know, once nothing is locked any more.
    package struct Actions: Sendable {
        /// These are missing in a log: to be filled, or reported as lost. ``DeliveryMachine/settle(_:_:)`` says
        /// when that is done.
        package var holes: [Repairer.Hole] = []
        package var ignored: [NodeAddress: UInt64] = [:]
        /// Counted by their nodes and never announced.
        package var unannounced: [NodeAddress: UInt64] = [:]
        /// Nodes that announce for slots they are not known to own: look again.
        package var doubtful: Set<NodeAddress> = []
        /// Given up since too many wait, see ``WaitingRoom``; lost.
        package var surplus: [Delivery] = []
    }

    /// In which order expirations go to handlers.
    package enum Order: Sendable {
        /// Many at once, those of one key one after the other.
        case ofKeys
        /// Batches, each of one node, in the order in which it announced them, and one of a node at a time; a
        /// key may occur twice in a batch. Only what is to be tried again, and what comes later of its key,
        /// goes alone.
        case ofNodes
    }

    let logs: LogSet
    let filter: KeyFilter
    let order: Order
    /// The most expirations that are ready to be handed out: what may be handled at once. What waits has
    /// bounds of its own, see ``WaitingRoom``, and holds up nothing else.
    let readyLimit: Int
    let bounds: WaitingRoom.Bounds

    package private(set) var phase = Phase.idle
    /// Nothing is handed out, in this term or a later one: an operator has stopped it for a while.
    package internal(set) var isPaused = false
    var token: UInt64 = 0
    var progressAtBegin: [String: Progress] = [:]
    /// Milliseconds since 1970.
    var termBegan: UInt64 = 0
    var cursors = CursorTable()
    /// The cursors as they were opened in this term.
    package internal(set) var opened: [String: Cursor] = [:]
    var actions = Actions()

    // Reading
    var ownership = SlotOwnership()
    /// The log that is read first the next time.
    var rotation = 0
    /// Logs that stand still until a hole has been filled, as far as it can be.
    var repairing: [String: ClosedRange<UInt64>] = [:]
    /// What no replica has, of each log, ahead of its cursor: reported as lost, and to be passed over.
    var lost: [String: [ClosedRange<UInt64>]] = [:]
    /// The same of what the last leader left pending, until the log is opened.
    var lostPending: [String: PendingOrdinals] = [:]
    /// Logs whose cursor stands before an entry that nothing proves to count or not.
    var unproven: Set<String> = []

    // Opening
    /// Logs that were opened where a peer's word of them begins, before this replica's own feed had
    /// numbers, and where that was.
    var openedByPeers: [String: UInt64] = [:]
    /// The replicas seen lately.
    private var peers: Set<String> = []
    /// What peers are asked about beside holes.
    var surveys = SurveySchedule()
    /// How far peers have told what lies before a log. By run ID.
    var surveyedThrough: [String: UInt64] = [:]

    // Key order and retries
    var keys = KeyOrder()
    var ready = ReadyQueue()
    /// Their time to be tried again has come.
    var due = ReadyQueue()
    var isTurnOfDue = false
    /// Instead of `ready` and `due`, in the order of the nodes.
    var turns = NodeTurns()
    var waiting: WaitingRoom
    var retries = RetrySchedule()
    /// Given up, since too many wait, and not yet counted: the cursor may not have passed them.
    var givenUp: [Delivery] = []
    /// Taken up and not finished.
    package internal(set) var pendingCount = 0
    /// Handed out and not come back.
    package internal(set) var handedOut = 0

    // Accounting
    var writes: UInt64 = 0

    package init(
        logs: LogSet, filter: KeyFilter, lanes: Int, order: Order = .ofKeys, bounds: WaitingRoom.Bounds = .init(),
        readyLimit: Int? = nil
    ) {
        self.logs = logs
        self.filter = filter
        self.order = order
        self.bounds = bounds
        waiting = WaitingRoom(bounds)
        self.readyLimit = readyLimit ?? max(1024, lanes * 16)
    }

    // MARK: - The term

    /// Starts to move the cursors from where the last leader left them.
    ///
    /// - Parameter now: milliseconds since 1970; what was heard before is a take-over's.
    package mutating func begin(token: FencingToken, progress: [String: Progress], now: UInt64) {
        forgetDeliveries()
        progressAtBegin = progress
        termBegan = now
        self.token = token.rawValue
        writes = 0
        repairing = [:]
        lost = [:]
        lostPending = [:]
        surveys = SurveySchedule()
        surveyedThrough = [:]
        opened = [:]
        openedByPeers = [:]
        phase = .running
        for entry in progress.values {
            logs[entry.runID]?.learn(through: entry.cursor.through)
            logs[entry.runID]?.adopt(base: entry.base)
            logs[entry.runID]?.follow(true)
        }
        // What the last leader left of a process that this replica never heard: its peers may have it.
        logs.learn(of: progress.values.map { HeardProcess(runID: $0.runID, node: $0.node) }, now: now)
    }

    /// How far the last leader's progress went when the term began.
    package func throughAtBegin(_ runID: String) -> UInt64 { progressAtBegin[runID]?.cursor.through ?? 0 }

    /// Nothing new is handed out from now on.
    package mutating func stop() {
        if phase == .running { phase = .draining }
    }

    /// The term is over; everything handed out has come back, or never will.
    package mutating func end() {
        phase = .idle
        for runID in unproven { logs[runID]?.stands(atUnproven: false) }
        unproven = []
        forgetDeliveries()
        progressAtBegin = [:]
    }

    private mutating func forgetDeliveries() {
        cursors = CursorTable()
        keys = KeyOrder()
        ready = ReadyQueue()
        due = ReadyQueue()
        turns = NodeTurns()
        waiting = WaitingRoom(bounds)
        retries = RetrySchedule()
        givenUp = []
        pendingCount = 0
        handedOut = 0
    }

    /// What is to be done; it is returned once.
    package mutating func takeActions() -> Actions {
        defer { actions = Actions() }
        return actions
    }

    // MARK: - What comes in

    package mutating func note(_ poll: TopologyPoll) {
        ownership.note(poll)
        ownership.forget { logs.logs(at: $0).isEmpty }
    }

    /// The replicas seen lately, each second. One that comes, or comes back, may have heard what no replica
    /// could tell so far.
    ///
    /// - Returns: whether there is anything to look for: one has come, or a log has no living feed.
    @discardableResult
    package mutating func note(peers: Set<String>) -> Bool {
        defer { self.peers = peers }
        surveys.tick()
        let isNewcomer = !peers.isSubset(of: self.peers)
        if isNewcomer {
            surveys.reset()
            surveyedThrough = [:]
        }
        guard phase == .running else { return isNewcomer }
        askForProcesses()
        return isNewcomer || !actions.holes.isEmpty || logs.all.contains { !$0.isSubscribed }
    }

    /// What is known of a node's slots.
    package func ownership(of node: NodeAddress) -> SlotOwnership.OfNode { ownership.seen(from: node) }

    /// Whether this term waits for a hole to be filled.
    package func waits(for hole: Repairer.Hole) -> Bool {
        phase != .idle && hole.token == token && repairing[hole.runID] == hole.ordinals
    }

    /// A hole is as full as it will ever be: what is missing in it now is lost, no more and no less. What
    /// its filling brought and the log's bounds take away again is a new hole.
    ///
    /// - Returns: how many are lost; nil if this term does not wait for it.
    package mutating func settle(_ hole: Repairer.Hole, _ end: RepairInquiry.End) -> UInt64? {
        guard waits(for: hole) else { return nil }
        repairing[hole.runID] = nil
        if let survey = hole.survey {
            let foundSome = logs[hole.runID]?.hasAny(after: hole.ordinals.lowerBound - 1) ?? false
            surveys.settled(hole.runID, survey, end, foundSome: foundSome)
            if case .cut(let through) = end { surveyedThrough[hole.runID] = through }
            return 0
        }
        let part = hole.settled(by: end)
        let log = logs[hole.runID]
        if let pending = hole.pending {
            let missing = pending.sorted.filter { part.contains($0) && log?.entry($0) == nil }
            for ordinal in missing { lostPending[hole.runID, default: []].insert(ordinal) }
            return UInt64(missing.count)
        }
        let missing = log?.missing(in: part) ?? [part]
        lost[hole.runID, default: []] += missing
        return missing.reduce(0) { $0 + UInt64($1.count) }
    }

    // MARK: - What goes out

    /// The next expirations for lanes, in order, at most this many; none when there are none, or when the
    /// term is over.
    package mutating func take(_ limit: Int) -> DeliveryList {
        guard phase == .running, !isPaused else { return DeliveryList() }
        // Also when just enough are ready: whether there is more for others must be known.
        if freshCount <= limit { fill(limit > 1 ? Self.stretch : Batch.limit) }
        let list = takeReady(limit)
        handedOut += list.count
        return list
    }

    /// How many are taken up at once where whole batches are handed out: the lock on a log and the copy of
    /// its keys cost the same for each stretch. Where handlers take their time, what comes up beside is not
    /// to wait behind that many.
    private static let stretch = 4 * Batch.limit

    /// Whether anything may be handed out; looks into the logs if nothing is ready.
    mutating func hasReady() -> Bool {
        guard !isPaused else { return false }
        if readyCount == 0 { fill(Batch.limit) }
        return readyCount > 0
    }
}
