import DequeModule
import HeapModule
package import RedisClient

/// What a worker of a stream's consumer group does next. A pure value: answers and times come in,
/// orders go out, each of which can be repeated.
///
/// An entry is read (or claimed), begun, handled and acknowledged, and kept by a heartbeat meanwhile.
/// *Begun* is counted beside the stream, since it must survive this process: what was only in hand when
/// it died has begun nothing.
package struct WorkMachine: Sendable {
    package struct Settings: Sendable {
        /// Handlers at once.
        package var lanes: Int
        package var retries: RetryPolicy
        /// An entry whose worker was silent for this long may be claimed by any other.
        package var claimAfter: Duration
        /// From so many entries a second on orders wait for each other.
        package var fast = 2_000

        package init(lanes: Int, retries: RetryPolicy, claimAfter: Duration) {
            self.lanes = lanes
            self.retries = retries
            self.claimAfter = claimAfter
        }

        /// Between looks for what silent workers have; what a worker gives back as it leaves is claimed as
        /// soon.
        var claimPause: Duration { min(claimAfter / 8, .seconds(2)) }
        /// Failed ones that wait; with more, nothing is read.
        var waitingLimit: Int { max(64, 4 * lanes) }
    }

    /// Why an attempt failed.
    package struct AttemptFailure: Sendable, Equatable {
        package var text: String
        package var advice: AnotherAttempt
        /// In 0..<1, for the wait.
        package var random: Double

        package init(text: String, advice: AnotherAttempt = .asConfigured, random: Double = 0) {
            self.text = text
            self.advice = advice
            self.random = random
        }
    }

    package enum Event: Sendable {
        /// The partitions of the stream, as its layout says now. None is ever left: it may still hold entries.
        case partitions([String])
        /// With about what each takes in memory; what has no size has none to speak of.
        case read(String, [StreamID], bytes: [Int] = [])
        case readFailed(String)
        /// From silent workers, or from an answer of this one that was lost; the next look begins at `next`.
        case claimed(String, [StreamID], bytes: [Int] = [], next: StreamID)
        case claimFailed(String)
        /// For each: the number of attempts begun, or nil: another worker has it.
        case begun(String, AttemptCounts)
        case beginFailed(String, [StreamID])
        case handledAll([WorkEntry])
        case failed(WorkEntry, AttemptFailure)
        case buried(WorkEntry)
        case buryFailed(WorkEntry)
        case acknowledged(String, [StreamID])
        case acknowledgeFailed(String, [StreamID])
        /// `lost` have another worker, or none: they are handled. `gone` were deleted from the stream: only
        /// this worker has them.
        case kept(String, lost: [StreamID], gone: [StreamID] = [])
        case keepFailed(String)
        /// The group knows that this worker has left the partition, or it cannot be told.
        case left(String)
        /// End: read no more, let handlers end.
        case leave
        /// They have had their time, and are cancelled.
        case drainOver
        /// They have had time to notice that.
        case cancelOver
        case tick
    }

    package enum Action: Sendable, Equatable {
        case read(String, limit: Int)
        case claim(String, from: StreamID, limit: Int)
        /// What the group has as this worker's beside `held`: answered as a claim.
        case reclaim(String, from: StreamID, limit: Int, held: [StreamID])
        /// Each with a number of its own: an order that is repeated counts once.
        /// Those that are to be acknowledged are so first, in the same step of the server: answered for both.
        case begin(String, [Begin], acknowledging: [StreamID] = [])
        case handle(WorkEntry, attempt: Int)
        case bury(WorkEntry, attempts: Int, error: String)
        case acknowledge(String, [StreamID])
        case keep(String, [StreamID])
        case stopReading
        case cancelHandlers
        case leave(String)
        /// A ``Event/tick`` then.
        case wake(at: Duration)
    }

    package struct Begin: Sendable, Equatable {
        package var id: StreamID
        package var turn: UInt64

        package init(id: StreamID, turn: UInt64) {
            self.id = id
            self.turn = turn
        }
    }

    struct Partition: Sendable {
        var isReading = false
        /// How many entries are being claimed at most; 0 when none are.
        var claiming = 0
        var isClaiming: Bool { claiming > 0 }
        var isKeeping = false
        var isAcknowledging = false
        /// What becomes free meanwhile is begun together, by the next order.
        var isBeginning = false
        var isLeaving = false
        var hasLeft = false
        var readAt: Duration
        var claimAt: Duration
        var claimFrom = StreamID.zero
        /// An answer did not come: where to look next for what it held, before anything of others is claimed.
        var reclaimFrom: StreamID?
        /// What is being claimed is that.
        var isReclaiming = false
        var keepAt: Duration
        var acknowledgeAt: Duration
        var beginAt: Duration
        /// Entries asked for at once: less after a large answer, or one that did not come, which may have been
        /// too large to be taken in.
        var limit = 256
        var failures = 0
        var done: [StreamID] = []
        /// When these are acknowledged alone, if there is nothing to begin meanwhile.
        var acknowledgeBy = Duration.zero
        /// Of the read under way, or the last one.
        var asked = 0
        /// Entries in hand that no handler has had yet, or has to have again.
        var queued = 0
        /// About what all in hand take in memory.
        var bytes = 0
    }

    struct InHand: Sendable {
        var phase = WorkPhase.ready
        var bytes = 0
        /// Of the attempt that is begun next, or was begun last.
        var turn: UInt64 = 0
        /// How many were begun, by all workers.
        var attempts = 0
        /// How many of them were none, as this worker knows:
        /// ``AnotherAttempt/whenPossible(after:others:)``.
        var excused = 0
        /// Another worker has it; what this one does with it is on top.
        var isLost = false
        /// It was deleted from the stream: no other worker can have it.
        var isGone = false
    }

    struct Due: Comparable, Sendable {
        var at: Duration
        var entry: WorkEntry
        static func == (left: Due, right: Due) -> Bool { left.at == right.at }
        static func < (left: Due, right: Due) -> Bool { left.at < right.at }
    }

    let settings: Settings
    var partitions: [String: Partition] = [:]
    /// In the order in which they became known.
    var order: [String] = []
    var entries: [WorkEntry: InHand] = [:]
    var ready: Deque<WorkEntry> = []
    var waiting = Heap<Due>()
    /// Entries begun and being begun, ready, and waiting (or to be buried).
    var busy = 0
    var waits = 0
    /// Entries that are being claimed, of all partitions, at most.
    var claiming = 0
    var lastTurn: UInt64 = 0
    var pace = WorkPace()
    /// When what is ready is begun, however few lanes are free.
    var beginBy: Duration?
    /// Entries a second, as of this step.
    var rate = 0
    var wakeAt: Duration?
    var isLeaving = false
    var isDrainOver = false
    /// Handlers that did not end though they were cancelled.
    private(set) var givenUp = 0
    var hasStoppedReading = false

    package init(_ settings: Settings) { self.settings = settings }

    /// All is done that leaving asks for.
    package var isFinished: Bool { isLeaving && order.allSatisfy { partitions[$0]?.hasLeft == true } }
    package var inHand: Int { entries.count }
    /// About what that takes in memory.
    var bytes: Int { partitions.values.reduce(0) { $0 + $1.bytes } }
    package func holds(_ entry: WorkEntry) -> Bool { entries[entry] != nil }
    /// The partitions of which nothing is in hand.
    var emptyHanded: [String] {
        let held = Set(entries.keys.lazy.map(\.partition))
        return order.filter { !held.contains($0) }
    }
    package var running: Int { busy }
    package var waitingCount: Int { waits }

    package mutating func step(_ event: Event, now: Duration) -> [Action] { step(CollectionOfOne(event), now: now) }

    /// What has come meanwhile, in its order; planned once.
    package mutating func step(_ events: some Sequence<Event>, now: Duration) -> [Action] {
        var actions: [Action] = []
        for event in events { take(event, now, &actions) }
        rate = pace.rate(now: now)
        order.forEach { plan($0, now, &actions) }
        planBegins(now, &actions)
        planLeaving(now, &actions)
        planWake(now, &actions)
        return actions
    }

    private mutating func take(_ event: Event, _ now: Duration, _ actions: inout [Action]) {
        switch event {
        case .partitions(let names): for name in names where partitions[name] == nil { add(name, now) }
        case .read(let name, let ids, let bytes):
            partitions[name]?.isReading = false
            gather(name, ids.count, now)
            arrived(name, ids, bytes)
        case .readFailed(let name): readFailed(name, now)
        case .claimed(let name, let ids, let bytes, let next):
            claimed(name, next: next, now)
            arrived(name, ids, bytes)
        case .claimFailed(let name): claimFailed(name, now)
        case .begun(let name, let counts):
            partitions[name]?.isBeginning = false
            for (id, count) in counts.all { begun(WorkEntry(name, id), count, &actions) }
        case .beginFailed(let name, let ids):
            // First in turn again, with the same number: it may have been counted.
            partitions[name]?.isBeginning = false
            for id in ids.reversed() { beginsAgain(WorkEntry(name, id)) }
            put(off: name, \.beginAt, now)
        case .handledAll(let entries): for entry in entries { finished(entry, now) }
        case .failed(let entry, let failure): failed(entry, failure, now, &actions)
        case .buried(let entry):
            guard case .burying = entries[entry]?.phase else { break }
            waits -= 1
            done(entry, now)
        case .buryFailed(let entry):
            if entries[entry] != nil { waiting.insert(Due(at: now + .seconds(1), entry: entry)) }
        case .acknowledged(let name, let ids):
            partitions[name]?.isAcknowledging = false
            drop(name, ids)
        case .acknowledgeFailed(let name, let ids):
            partitions[name]?.isAcknowledging = false
            put(off: name, \.acknowledgeAt, now)
            // Past the drain it is tried no more: the worker that claims it handles it again.
            if isDrainOver {
                drop(name, ids)
            } else {
                partitions[name]?.done += ids
            }
        case .kept(let name, let lost, let gone):
            partitions[name]?.isKeeping = false
            partitions[name]?.failures = 0
            self.lost(lost.map { WorkEntry(name, $0) })
            self.gone(gone.map { WorkEntry(name, $0) }, &actions)
        case .keepFailed(let name):
            partitions[name]?.isKeeping = false
            put(off: name, \.keepAt, now)
        case .left(let name): partitions[name]?.hasLeft = true
        case .leave: leave(&actions)
        case .drainOver:
            leave(&actions)
            isDrainOver = true
            actions.append(.cancelHandlers)
        case .cancelOver: givenUp = giveUpRunning()
        case .tick: if let wakeAt, wakeAt <= now { self.wakeAt = nil }
        }
    }

    private mutating func add(_ name: String, _ now: Duration) {
        guard !isLeaving else { return }
        partitions[name] = Partition(
            readAt: now, claimAt: now, keepAt: now + settings.claimAfter / 3, acknowledgeAt: now, beginAt: now)
        order.append(name)
    }
}
