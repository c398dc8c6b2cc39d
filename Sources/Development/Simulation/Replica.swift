import Lapse
import LeaderElection
import LeaderElectionRedis
import RedisClient
import Timing

/// One life of one replica: the product's own values, with clocks and a process that the schedule
/// governs.
final class Replica {
    /// Which of the replicas; a restarted one keeps its place and gets a new id.
    let place: Int
    let life: Int
    let id: String
    var isAlive = true
    var isStopping = false
    var pausedUntil: Duration?
    /// What is to be done once it goes on.
    var deferred: [() -> Void] = []
    var clock: ReplicaClock

    // The election.
    var machine: LeaseMachine
    /// Which registers the machine knows as 0, 1, 2…
    let registerMap: [Int]
    var timer = 0
    var body: Body?
    /// Which try of a claim may end what the claim has, where that belongs to all its tries.
    var tries = ClaimTries()
    /// Claims whose lease lapsed while a handler was running.
    var lapsedWhileRunning: Set<String> = []
    /// How its rules stand with those of the group.
    var standing = GroupRules.Standing()

    // Logs and feeds.
    let logs: LogSet
    var deliveryMachine: DeliveryMachine
    var feeds: [Feed] = []
    var topology: TopologyPoll?
    var looks = 0
    var lookIsPlanned = false
    /// One look at a time: a caller meanwhile waits for the next one.
    var isLooking = false
    var lookers: [(TopologyPoll?) -> Void] = []
    /// The servers of a single Redis, by its looks.
    var group = ReplicationGroup(seeds: (0..<2).map(SimulatedTopology.address))
    /// It has heard what the registers know, and listens to whatever the view has.
    var opensFeeds = false

    // Progress and peers.
    var relay: ProgressRelay
    var hasAskedForProgress = false
    /// Of the leader whose word on the control channel was found to be the holder's.
    var believedToken: UInt64?
    var known: [String: Progress] = [:]
    /// Of that, what a majority of the registers lacked when they were last read.
    var lacked: Set<String> = []
    /// What any replica has told to be missing from a process' counter.
    var bases: [String: UInt64] = [:]
    /// What it has found itself, and whether a majority of the registers has taken it.
    var ownBases = OwnBases()
    /// Questions about numbers that peers still have to answer, by nonce.
    var numberQuestions: [String: Set<String>] = [:]
    var answeredNumbers: Set<String> = []
    var peers: Set<String> = []
    var admission = RepairAdmission()
    var catchUp = CatchUp()
    /// What a leader last said of its logs, as it was read.
    var wholeness: Wholeness?
    /// It has given up its lease for good, and serves its peers until they are whole.
    var isLeaving = false
    /// The peers that have said that they leave.
    var leavers: Set<String> = []
    /// Own locks that ran out before its term.
    var lapsedLocks = LapsedLocks()
    /// Those that its registers granted, and what became of them.
    var heldLocks = HeldLocks()
    /// The token of its last term.
    var lastToken: UInt64 = 0

    // For the account.
    var bornAt: Duration = .zero
    /// Until when it was, or may have been, out of reach of others.
    var lastTrouble: Duration = .seconds(-100)
    /// How long it stays away after its graceful end.
    var away: Duration = .zero

    init(
        place: Int, life: Int, clock: ReplicaClock, settings: LeaseMachine.Settings, registerMap: [Int],
        random: RandomSource, filter: KeyFilter, lanes: Int, conditions: Conditions
    ) {
        self.place = place
        self.life = life
        id = settings.id
        self.clock = clock
        self.registerMap = registerMap
        machine = LeaseMachine(settings: settings, random: random)
        relay = ProgressRelay(lease: settings.timing.ttl)
        logs = LogSet(limitBytes: conditions.logBytes, limitAge: conditions.logAge, chunkBytes: conditions.chunkBytes)
        deliveryMachine = DeliveryMachine(
            logs: logs, filter: filter, lanes: lanes, order: conditions.batchLimit == nil ? .ofKeys : .ofNodes,
            readyLimit: conditions.pendingLimit)
    }

    var lease: Duration { machine.settings.timing.ttl }

    /// It will do nothing any more.
    func letGo() {
        body = nil
        deferred = []
        for feed in feeds { feed.connection = nil }
    }

    /// Its cursor is behind this one, and does not wait for it.
    func hasPassed(_ ordinal: UInt64, _ runID: String) -> Bool {
        deliveryMachine.cursor(runID).map { $0.through >= ordinal && !$0.pending.sorted.contains(ordinal) } ?? false
    }

    func isPaused(_ now: Duration) -> Bool { pausedUntil.map { $0 > now } ?? false }

    /// It would call a handler now.
    func mayCallHandlers(at now: Duration) -> Bool {
        guard isAlive, let body, !body.leaseEnded else { return false }
        return body.window.isOpen(at: clock.read(now))
    }
}

/// A replica's two clocks.
struct ReplicaClock {
    var rate: Double
    var monotonicOffset: Duration
    var wallOffset: Duration = .seconds(1_700_000_000)

    func read(_ time: Duration) -> ClockReading {
        ClockReading(monotonic: time * rate + monotonicOffset, wall: time * rate + wallOffset)
    }

    /// The true time at which the monotonic clock will have reached `reading`.
    func time(of reading: Duration) -> Duration { (reading - monotonicOffset) / rate + .nanoseconds(1) }

    /// Milliseconds since 1970.
    func milliseconds(_ time: Duration) -> UInt64 {
        let wall = read(time).wall.components
        return UInt64(max(0, wall.seconds * 1000 + wall.attoseconds / 1_000_000_000_000_000))
    }
}

/// What runs while a replica leads.
final class Body {
    enum Phase { case reading, running, draining, cancelled, writing, over }

    let info: LeaseMachine.TermInfo
    /// Counts the terms of the run in the order in which they began.
    let order: Int
    /// When it began to move the cursors.
    var began: Duration = .zero
    var begunReading: Duration = .zero
    /// The registers whose locks ran out before.
    var lapsed: [Int] = []
    var window: LeaseWindow
    var phase = Phase.reading
    var drainRequested = false
    /// No handler may be called any more.
    var leaseEnded = false
    var lanes: [SimulatedLane]
    /// Handed out together, and not begun: any lane may begin the next one.
    var batch: ArraySlice<Delivery> = []
    var unwritten = UnwrittenProgress()
    var sweepReasons = SweepReasons()
    var sweeps: [Sweep] = []
    /// The last ordinal of each key, by log.
    var lastOrdinal: [String: [[UInt8]: UInt64]] = [:]
    var pumpIsPlanned = false
    var finished: Set<Position> = []
    var keysInHand: Set<[UInt8]> = []
    /// Of batches: whose is on its way, how far each log has been begun, and the keys of which one was not
    /// handled.
    var nodesInHand: Set<String> = []
    var begunThrough: [String: UInt64] = [:]
    var keysTriedAgain: Set<[UInt8]> = []
    /// Leaders before it died one after the other.
    var care: SimulatedCare?
    /// No lane takes anything before.
    var servesFrom: Duration = .zero
    /// By node, as the product counts.
    var account: [String: NodeSum] = [:]
    /// By log.
    var sums: [String: LogSum] = [:]
    /// What was reported as lost, by log.
    var lost: [String: Set<UInt64>] = [:]
    /// The elector was told, by a planted mistake.
    var hasReturned = false
    /// What it last said of its logs.
    var saidWhole: Bool?
    /// When its progress was last told to the followers.
    var sharedAt: Duration?

    init(_ info: LeaseMachine.TermInfo, order: Int, lanes: Int) {
        self.info = info
        self.order = order
        window = info.window
        self.lanes = (0..<lanes).map { _ in SimulatedLane() }
    }

    var runningHandlers: Int { lanes.count { $0.running?.isCalled ?? false } }
}

/// A place where one handler runs at a time.
final class SimulatedLane {
    var running: RunningHandler?
    /// It has returned: the term is over for it.
    var isOver = false
}

/// One call of a handler.
final class RunningHandler {
    let delivery: Delivery
    let heedsCancellation: Bool
    /// Its companion has been read: it runs.
    var isCalled = false
    /// Of a batch handler: the call that its first expiration stands for.
    var call: BatchCall?

    init(_ delivery: Delivery, heedsCancellation: Bool) {
        self.delivery = delivery
        self.heedsCancellation = heedsCancellation
    }
}

/// What the cursor of a log tells.
struct LogSum {
    let node: String
    var passed = 0
    var open = 0
    var lost = 0

    mutating func add(_ other: LogSum) {
        passed += other.passed
        open += other.open
        lost += other.lost
    }
}

/// A term's own account of one node, kept apart from the machine that is checked by it.
struct NodeSum {
    var finished = 0
    var ignored: UInt64 = 0
    var unannounced: UInt64 = 0
}
