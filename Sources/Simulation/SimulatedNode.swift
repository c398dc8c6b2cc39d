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
    /// False when the counter was reset while somebody was not listening: nobody can know the numbers then.
    var isExact = true

    init(runID: String) { self.runID = runID }
}

/// One expiration, as the node announced it, and what became of it.
struct Announcement {
    let key: [UInt8]
    let isWanted: Bool
    /// A frozen master announced it a second time, after its replica had taken over.
    let isRepeat: Bool
    let at: Duration
    /// Whoever was in doubt about it may pass over it.
    var isDeposed = false
    /// The lives of replicas that heard it and may be asked for it.
    var hearers: Set<Int> = []
    var handled = 0
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
    /// Nothing comes through any more, and nobody knows.
    var isDeaf = false
    var lastArrival: Duration = .zero

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
    case nonce(String)
    case pong
    case repair(RepairRequest)
}
