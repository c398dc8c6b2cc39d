import LeaderElection
import NIOCore
import RESP
import RedisClient
import Synchronization
import Timing

/// What a feed hears goes here, on its event loop: expirations into the log, marks and releases to whom
/// they concern.
final class FeedSink: PushReceiver {
    /// Whom the sink tells.
    struct Listeners: Sendable {
        /// Expirations have been added to the log.
        var appended: @Sendable () -> Void
        /// The lease may be free: a release message, or the lock's own expiration.
        var leaseFreed: @Sendable (WakeUp) -> Void
        /// The lock with this key has expired.
        var lockLapsed: @Sendable (String) -> Void = { _ in }
        /// A server has confirmed a subscription.
        var subscribed: @Sendable () -> Void = {}
        /// A leader asks its peers for what it did not hear.
        var asked: @Sendable (RepairRequest) -> Void
        /// Another message of the group: see ``GroupMessage``.
        var told: @Sendable (GroupMessage) -> Void
        /// How many looks at the topology have begun.
        var look: @Sendable () -> Int
        /// Told of what is heard while a leader makes the servers punctual; nil where they are not to be.
        var punctuality: Punctuality?
        /// Told of Lapse's own keys that have expired, but for locks; nil where no canaries are set.
        var canaries: Canaries?
        /// A key was too large to be held.
        var large: @Sendable (_ node: NodeAddress, _ bytes: Int, _ begin: String) -> Void = { _, _, _ in }
    }

    private struct Mark {
        var nonce: String
        var arrived = false
    }

    /// Questions taken from one read: a true one is asked again.
    private static let requestLimit = 64
    /// Marks of others that put in question what follows. They are rare; any client may publish some.
    private static let claimsPerSecond = 4.0
    /// Longer than the lock's key of any election; any client may announce others.
    private static let lockBytes = 1 << 10

    let log: NodeLog
    private let listeners: Listeners
    private let bell: Doorbell
    private let mark = Mutex<Mark?>(nil)
    private let claims = Mutex(Allowance(perSecond: claimsPerSecond, most: claimsPerSecond * 4))
    private let silence = Atomic(false)
    /// Something has come since the silence began.
    private let spoken = Atomic(false)
    /// Something has come since ``takeHeard()``.
    private let heard = Atomic(false)
    /// Looks at the topology begun when the last ping was sent, and when the last one that was answered was
    /// sent. On the event loop only.
    private let ping: Atomic<Int>
    private let since: Atomic<Int>
    /// Expirations have been added that no lane was told of. On the event loop only.
    private let hasAppended = Atomic(false)

    init(log: NodeLog, listeners: Listeners, bell: Doorbell) {
        self.log = log
        self.listeners = listeners
        self.bell = bell
        let look = listeners.look()
        ping = Atomic(look)
        since = Atomic(look)
    }

    /// The mark to listen for.
    func expect(_ nonce: String) { mark.withLock { $0 = Mark(nonce: nonce) } }

    /// Whether the expected mark has arrived.
    var markArrived: Bool { mark.withLock { $0?.arrived ?? false } }

    func markDone() { mark.withLock { $0 = nil } }

    var isSilent: Bool { silence.load(ordering: .acquiring) }

    /// Whether anything has come since the silence began.
    var hasSpoken: Bool { spoken.load(ordering: .acquiring) }

    /// Whether anything has come since this was last asked.
    func takeHeard() -> Bool { heard.exchange(false, ordering: .relaxed) }

    func receive(_ batch: borrowing ReplyBatch) {
        let now = WallClock.milliseconds()
        var freed: WakeUp?
        var rings = false
        var requests: [String] = []
        var messages: [GroupMessage] = []
        var locks: [String] = []
        let since = since.load(ordering: .relaxed)
        let punctuality = listeners.punctuality?.whileOpen
        let count = log.take(batch, now: now, since: since, look: listeners.look()) { key in
            guard NodeLog.isLock(key) else {
                listeners.canaries?.heard(key)
                return
            }
            freed = .lapsed
            if locks.count < Self.requestLimit, key.byteCount <= Self.lockBytes { locks.append(key.text) }
        } tooLarge: { bytes, begin in
            listeners.large(log.address, bytes, begin.text)
        } control: { payload in
            switch ControlMessage(payload) {
            case .released: freed = .released
            case .asked(let request): if requests.count < Self.requestLimit { requests.append(request) }
            case .told(let message): if messages.count < Self.requestLimit { messages.append(message) }
            case .marked(let mark): if arrives(mark) { rings = true }
            case nil: break
            }
        } deadlines: { run, database in
            punctuality?.heard(run, database: database, at: log.address) ?? []
        }
        if let freed { listeners.leaseFreed(freed) }
        for lock in locks { listeners.lockLapsed(lock) }
        if rings { bell.ring() }
        for message in messages { listeners.told(message) }
        for request in requests.compactMap(RepairRequest.init) { listeners.asked(request) }
        if count > 0 { hasAppended.store(true, ordering: .relaxed) }
    }

    /// Whether this is the mark that is awaited, or one of which the node is to be asked.
    private func arrives(_ heard: HeardMark) -> Bool {
        guard heard.runID == log.runID else { return false }
        let isAwaited = mark.withLock { mark in
            guard let awaited = mark, awaited.nonce == heard.nonce, !awaited.arrived else { return false }
            mark?.arrived = true
            log.pinMark()
            return true
        }
        guard isAwaited || claims.withLock({ $0.take(SystemClock.read().monotonic) }) else { return false }
        return log.heard(heard) || isAwaited
    }

    func receivedAll() {
        if !heard.load(ordering: .relaxed) { heard.store(true, ordering: .relaxed) }
        // What it says now is in doubt until its role is known: that is looked into at once.
        if silence.load(ordering: .relaxed), !spoken.exchange(true, ordering: .acquiringAndReleasing) { bell.ring() }
        if hasAppended.exchange(false, ordering: .relaxed) { listeners.appended() }
    }

    func pingSent() { ping.store(listeners.look(), ordering: .relaxed) }

    func pingAnswered() { since.store(ping.load(ordering: .relaxed), ordering: .relaxed) }

    func silenceChanged(_ silent: Bool) {
        spoken.store(false, ordering: .releasing)
        silence.store(silent, ordering: .releasing)
        if silent { log.doubt() }
        bell.ring()
    }
}
