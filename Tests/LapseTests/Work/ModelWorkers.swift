import RedisClient

@testable import Lapse

/// Workers in simulated time over one ``ModelGroup``: requests and answers are lost, workers die and
/// leave, all drawn from a seed.
struct ModelWorkers {
    private struct Worker {
        var machine: WorkMachine
        var isAlive = true
        var isLeaving = false
        /// One timer: an order for another time replaces it.
        var wakeAt: Duration?
    }

    private struct Due {
        var at: Duration
        var number: Int
        var worker: Int
        var body: Body
    }

    private enum Body { case event(WorkMachine.Event), action(WorkMachine.Action) }

    static let claimAfter = Duration.milliseconds(600)
    static let retries = 10
    private(set) var group = ModelGroup()
    private(set) var handled: [WorkEntry: Int] = [:]
    private(set) var buried: [WorkEntry: Int] = [:]
    /// The attempts with which handlers were called.
    private(set) var attempts: [WorkEntry: [Int]] = [:]
    private(set) var mostBusy = 0
    /// Acknowledged with a begin.
    private(set) var combined = 0
    /// From so many entries a second on orders wait for each other.
    var fast = Int.max
    /// Steps after which a partition's count of its queue, or of its bytes, was wrong.
    private(set) var miscounts = 0
    private(set) var now = Duration.zero
    private var workers: [Worker] = []
    private var queue: [Due] = []
    private var drawn: UInt64
    private var scheduled = 0
    let lanes: Int
    /// In percent.
    let losses: Int
    /// An entry that no handler can handle.
    let isPoison: (WorkEntry) -> Bool

    init(seed: UInt64, lanes: Int, losses: Int, isPoison: @escaping (WorkEntry) -> Bool) {
        drawn = seed
        self.lanes = lanes
        self.losses = losses
        self.isPoison = isPoison
    }

    /// SplitMix64.
    mutating func draw(_ limit: Int) -> Int {
        drawn &+= 0x9e37_79b9_7f4a_7c15
        var word = drawn
        word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
        return Int((word ^ word >> 31) % UInt64(limit))
    }

    var alive: [Int] { workers.indices.filter { workers[$0].isAlive } }
    /// Workers that were asked to leave and have not.
    var areLeaving: Bool { workers.contains { $0.isAlive && $0.isLeaving } }

    mutating func start(_ partitions: [String]) {
        let retries = RetryPolicy(retries: Self.retries, first: .milliseconds(20), cap: .milliseconds(200))
        var settings = WorkMachine.Settings(lanes: lanes, retries: retries, claimAfter: Self.claimAfter)
        settings.fast = fast
        workers.append(Worker(machine: WorkMachine(settings)))
        tell(workers.count - 1, .partitions(partitions))
    }

    mutating func spread(_ partitions: [String]) { for worker in alive { tell(worker, .partitions(partitions)) } }
    mutating func kill(_ worker: Int) { workers[worker].isAlive = false }
    mutating func add(_ entry: WorkEntry) { group.add(entry.partition, entry.id) }

    /// One of those that a worker has, or had when it died.
    mutating func deleteOne() {
        let pending = group.pending.keys.sorted { ($0.partition, $0.id) < ($1.partition, $1.id) }
        if !pending.isEmpty { group.delete(pending[draw(pending.count)]) }
    }

    mutating func leave(_ worker: Int) {
        workers[worker].isLeaving = true
        tell(worker, .leave)
        schedule(.seconds(1), worker, .event(.drainOver))
    }

    /// Until something is to be done no more, or time is over.
    mutating func run(until end: Duration) {
        while let next = queue.indices.min(by: { (queue[$0].at, queue[$0].number) < (queue[$1].at, queue[$1].number) }),
            queue[next].at <= end
        {
            let due = queue.remove(at: next)
            now = due.at
            guard workers[due.worker].isAlive else { continue }
            switch due.body {
            case .event(let event): tell(due.worker, event)
            case .action(let action): perform(action, due.worker)
            }
        }
        now = end
    }

    private mutating func schedule(_ wait: Duration, _ worker: Int, _ body: Body) {
        scheduled += 1
        queue.append(Due(at: now + wait, number: scheduled, worker: worker, body: body))
    }

    private mutating func tell(_ worker: Int, _ event: WorkMachine.Event) {
        let actions = workers[worker].machine.step(event, now: now)
        let machine = workers[worker].machine
        mostBusy = max(mostBusy, machine.running)
        let queued = machine.entries.filter { $0.value.phase == .ready || $0.value.phase == .beginning }
        for (name, partition) in machine.partitions {
            let bytes = machine.entries.reduce(0) { $0 + ($1.key.partition == name ? $1.value.bytes : 0) }
            if partition.queued != queued.count(where: { $0.key.partition == name }) || partition.bytes != bytes {
                miscounts += 1
            }
        }
        for action in actions {
            let wait: Duration
            switch action {
            case .wake(let at):
                wait = max(.zero, at - now)
                workers[worker].wakeAt = at
            case .handle: wait = .milliseconds(draw(120))
            default: wait = .milliseconds(draw(15))
            }
            if case .handle(let entry, let attempt) = action { attempts[entry, default: []].append(attempt) }
            schedule(wait, worker, .action(action))
        }
        if workers[worker].machine.isFinished { workers[worker].isAlive = false }
    }

    private mutating func answer(_ worker: Int, _ events: WorkMachine.Event...) { answer(worker, events) }

    /// In their order.
    private mutating func answer(_ worker: Int, _ events: [WorkMachine.Event]) {
        let wait = Duration.milliseconds(draw(15))
        for event in events { schedule(wait, worker, .event(event)) }
    }

    private func sizes(_ ids: [StreamID]) -> [Int] { ids.map { Int($0.milliseconds % 7) << 20 } }

    /// Carries an order out. A request is lost before, an answer after.
    private mutating func perform(_ action: WorkMachine.Action, _ worker: Int) {
        let requestIsLost = draw(100) < losses
        let answerIsLost = draw(100) < losses
        switch action {
        case .wake(let at):
            guard workers[worker].wakeAt == at else { break }
            workers[worker].wakeAt = nil
            tell(worker, .tick)
        case .stopReading, .cancelHandlers: break
        case .handle(let entry, _):
            if isPoison(entry) {
                tell(worker, .failed(entry, .init(text: "poison", random: 0.5)))
            } else {
                handled[entry, default: 0] += 1
                tell(worker, .handled(entry))
            }
        case .bury(let entry, _, _):
            if !requestIsLost { buried[entry, default: 0] += 1 }
            answer(worker, requestIsLost || answerIsLost ? .buryFailed(entry) : .buried(entry))
        case .leave(let name):
            if !requestIsLost { group.leave(name, consumer: worker, now: now) }
            answer(worker, .left(name))
        case .read(let name, let limit):
            let ids = requestIsLost ? [] : group.read(name, limit, by: worker, now: now)
            // As if it blocked until then.
            let wait: Duration = ids.isEmpty ? .milliseconds(150) : .zero
            schedule(
                wait, worker,
                .event(requestIsLost || answerIsLost ? .readFailed(name) : .read(name, ids, bytes: sizes(ids))))
        case .claim(let name, let from, let limit):
            guard !requestIsLost else { return answer(worker, .claimFailed(name)) }
            let found = group.claim(name, from, limit, by: worker, idle: Self.claimAfter, now: now)
            let claimed = WorkMachine.Event.claimed(name, found.ids, bytes: sizes(found.ids), next: found.next)
            answer(worker, answerIsLost ? .claimFailed(name) : claimed)
        case .reclaim(let name, let from, let limit, let held):
            guard !requestIsLost else { return answer(worker, .claimFailed(name)) }
            let found = group.claim(name, from, limit, by: worker, held: held, idle: Self.claimAfter, now: now)
            let claimed = WorkMachine.Event.claimed(name, found.ids, bytes: sizes(found.ids), next: found.next)
            answer(worker, answerIsLost ? .claimFailed(name) : claimed)
        case .begin(let name, let begins, let done):
            let failed = [.acknowledgeFailed(name, done), WorkMachine.Event.beginFailed(name, begins.map(\.id))]
            guard !requestIsLost else { return answer(worker, done.isEmpty ? Array(failed.suffix(1)) : failed) }
            for id in done { group.acknowledge(WorkEntry(name, id)) }
            combined += done.count
            var counts: [(StreamID, Int?)] = []
            for begin in begins {
                let entry = WorkEntry(name, begin.id)
                let count = group.begin(entry, turn: "\(worker)-\(begin.turn)", by: worker, now: now)
                counts.append((begin.id, count))
            }
            let answered = [.acknowledged(name, done), WorkMachine.Event.begun(name, AttemptCounts(counts))]
            let events = answerIsLost ? failed : answered
            answer(worker, done.isEmpty ? Array(events.suffix(1)) : events)
        case .acknowledge(let name, let ids):
            if !requestIsLost { for id in ids { group.acknowledge(WorkEntry(name, id)) } }
            answer(
                worker, requestIsLost || answerIsLost ? .acknowledgeFailed(name, ids) : .acknowledged(name, ids))
        case .keep(let name, let ids):
            guard !requestIsLost else { return answer(worker, .keepFailed(name)) }
            let kept = ids.map { ($0, group.keep(WorkEntry(name, $0), by: worker, now: now)) }
            let lost = kept.filter { $0.1 == .lost }.map(\.0)
            let gone = kept.filter { $0.1 == .gone }.map(\.0)
            answer(worker, answerIsLost ? .keepFailed(name) : .kept(name, lost: lost, gone: gone))
        }
    }
}
