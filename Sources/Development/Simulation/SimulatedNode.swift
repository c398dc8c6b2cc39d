import Lapse
import RedisClient

/// One life of a Redis server: from its start to its end its expirations are counted.
final class NodeProcess {
    let runID: String
    /// What it announced, the first one being number 1.
    var announced: [Announcement] = []
    /// What `INFO` shows as `expired_keys`.
    var counter: UInt64 = 0
    var resetAt: Duration?
    /// It was reset while no replica listened, and had passed again what the leader had handled when one
    /// came: nothing tells.
    var isUndecidable = false
    var wasResetUnheard = false
    /// False when the counter was reset while a replica was not listening: none can know the numbers then.
    var isExact = true

    /// When its counter was last reset, or messages were last forged.
    var disturbedAt: Duration = .seconds(-100)
    /// What leaders have called lost of what it counted without an event.
    var calledLost: Set<UInt64> = []

    /// It belongs to another deployment.
    let isForeign: Bool

    init(runID: String, isForeign: Bool = false) {
        self.runID = runID
        self.isForeign = isForeign
    }
}

/// One expiration, as the node announced it, and what became of it.
struct Announcement {
    let key: [UInt8]
    let isWanted: Bool
    /// A frozen master announced it a second time, after its replica had taken over.
    let isRepeat: Bool
    /// Counted, and no message was sent.
    var isCountedOnly = false
    let at: Duration
    /// A replica in doubt about it may pass over it.
    var isDeposed = false
    /// The lives of replicas that heard it and may be asked for it.
    var hearers: Set<Int> = []
    var handled = 0
    /// The term that handled it last, by order, and when.
    var handledBy = 0
    var handledAt: Duration = .zero
    var isLost = false
}

/// A timer key, and the companion that outlives it.
struct Timer {
    var key: [UInt8]
    var hasCompanion: Bool
}

/// The data of a master and its replica.
struct Shard {
    /// Indexes of its servers.
    var servers: [Int]
    var master: Int
    /// The one that the view names: it may be behind.
    var named: Int
    /// Each change of master has a configuration epoch of its own; and that of the view.
    var epoch: UInt64 = 1
    var namedEpoch: UInt64 = 1
    /// Timers that have not expired, by number, with their due times.
    var timers: [Int: (timer: Timer, due: Duration)] = [:]
    /// Companions, with the term that has handled each; a handled one that stays was not to be deleted.
    var companions: Set<[UInt8]> = []
}

/// One Redis server.
final class SimulatedNode {
    let index: Int
    let address: NodeAddress
    let shard: Int
    var process: NodeProcess
    var lives = 1
    /// Deaths and frosts so far.
    var absences = 0
    var isUp = true
    var frozenUntil: Duration?
    var thawedAt: Duration?
    /// Thinks that it is the master.
    var believesMaster: Bool
    var connections: [Connection] = []
    /// What waits for a frozen server to go on.
    var deferred: [() -> Void] = []
    /// What it announces until `slowUntil` reaches each subscriber so far apart.
    var gap: Duration = .zero
    var slowUntil: Duration = .zero
    /// New connections are refused until then.
    var refusesUntil: Duration = .zero

    init(index: Int, shard: Int, isMaster: Bool) {
        self.index = index
        self.shard = shard
        address = NodeAddress(host: "10.0.0.\(index + 1)", port: 6379)
        believesMaster = isMaster
        process = NodeProcess(runID: "run-\(index)-1")
    }

    func isFrozen(_ now: Duration) -> Bool { frozenUntil.map { $0 > now } ?? false }
    func answers(_ now: Duration) -> Bool { isUp && !isFrozen(now) }
}

/// One subscription, as the network knows it: in order, until it breaks.
final class Connection {
    let replica: Replica
    let feed: Feed
    let process: NodeProcess
    var isOpen = true
    /// Nothing comes through any more, and neither side knows.
    var isDeaf = false
    var lastArrival: Duration = .zero
    /// Messages on their way, and when the last one came.
    var underWay = 0
    var lastByteAt: Duration = .zero
    /// Since when its replica listens to it.
    var beganAt: Duration = .zero
    /// Since when its entries have numbers.
    var numberedAt: Duration?

    init(replica: Replica, feed: Feed, process: NodeProcess) {
        self.replica = replica
        self.feed = feed
        self.process = process
    }
}

/// What comes through a subscription.
enum FeedMessage {
    /// The number of an announcement of the process.
    case expired(UInt64)
    case mark(HeardMark)
    /// Published by a client on the event channel.
    case forged([UInt8])
    /// Published by a client on the control channel.
    case words(String)
    case pong
    case repair(RepairRequest)
}
