/// Which lane works on what, which ones sleep, and whether one works alone. A pure value under the
/// dispatcher's lock.
///
/// Waking a lane costs more than a quick handler takes: so each lane wakes the next one, if there is
/// more to do than it has taken (see the manual's page on the architecture). `Sleeper` is what wakes a
/// lane.
struct LaneSchedule<Sleeper> {
    private var held: [Batch?]
    /// Batches of more than one that may still have some to begin.
    private var open: [Batch] = []
    private var sleepers: [Sleeper] = []
    /// A lane has been woken and is on its way: it will wake the next one if there is more.
    private var isWaking = false
    private var soloist = Soloist()

    init(lanes: Int) { held = Array(repeating: nil, count: lanes) }

    // MARK: - Sleeping lanes

    var sleeping: Int { sleepers.count }

    /// Whether one sleeps that is to be woken when something comes. A lane that works alone looks again
    /// before it sleeps: until then none is to be woken.
    var wantsWaking: Bool { !sleepers.isEmpty && soloist.lane == nil }

    mutating func sleep(_ sleeper: Sleeper) { sleepers.append(sleeper) }

    /// One to be woken, if any sleeps and no other is on its way.
    mutating func wakeOne() -> Sleeper? {
        guard !isWaking, soloist.lane == nil, let sleeper = sleepers.popLast() else { return nil }
        isWaking = true
        return sleeper
    }

    /// One that slept looks again.
    mutating func isUp() { isWaking = false }

    /// All to be woken: the term ends.
    mutating func wakeAll() -> [Sleeper] {
        defer { sleepers = [] }
        return sleepers
    }

    // MARK: - Working lanes

    /// The lane looks for something to do.
    ///
    /// - Returns: the batch that it had in hand, and has no more.
    mutating func arrive(_ lane: Int, _ pace: Pace, hasSlept: Bool) -> Batch? {
        if hasSlept { isUp() }
        soloist.came(lane)
        if pace.isFleeting, !hasSlept { soloist.trust() }
        return drop(lane)
    }

    /// Whether the lane may rest though there is something to do: another works alone, and is quicker.
    func mayRest(_ lane: Int, _ pace: Pace) -> Bool { pace.isFleeting && soloist.replaces(lane) }

    /// The lane begins with this batch.
    ///
    /// - Returns: whether it works alone from now on and the watch is to be called.
    mutating func begin(_ batch: Batch, _ lane: Int, _ pace: Pace) -> Bool {
        held[lane] = batch
        if batch.deliveries.count > 1 {
            open.removeAll { !$0.hasMore }
            open.append(batch)
        }
        return pace.isFleeting && batch.deliveries.count >= Soloist.least && held.count > 1 && soloist.go(lane)
    }

    /// The lane helps with the oldest batch that has more; nil when none has.
    mutating func help(_ lane: Int) -> Batch? {
        guard let batch = open.first(where: \.hasMore) else { return nil }
        held[lane] = batch
        return batch
    }

    /// Whether a lane could help.
    var hasMore: Bool { open.contains(where: \.hasMore) }

    /// The lane puts down what it has in hand; whether it worked alone.
    mutating func putDown(_ lane: Int) -> (batch: Batch?, wasAlone: Bool) {
        let wasAlone = soloist.came(lane)
        return (drop(lane), wasAlone)
    }

    private mutating func drop(_ lane: Int) -> Batch? {
        defer { held[lane] = nil }
        return held[lane]
    }

    func forEachBatch(_ body: (Batch) -> Void) {
        for case let batch? in held { body(batch) }
    }

    // MARK: - The watch

    /// Sees to it that no lane waits for one that works alone and has not been back.
    mutating func watch(_ now: Duration) -> Soloist.Finding { soloist.watch(now) }

    /// A new term.
    mutating func trustAnew() { soloist = Soloist() }
}
