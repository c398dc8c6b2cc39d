import Lapse
import LeaderElection
import RESP
import Timing

/// Servers that share slots, the keys on them, and the leader that is to make them punctual, in one
/// process with a clock of its own.
///
/// What is asked, and when, the product's own values decide (`PunctualMachine`, `SweepPace`,
/// `Reconnection`). Modelled is what lies around them: servers, connections, and what `PunctualNode`
/// and `Punctuality` carry out. All randomness comes from the seed.
package final class PunctualWorld {
    package let schedule: PunctualSchedule
    let mistake: PunctualMistake?
    package internal(set) var now: Duration = .zero
    var random: RandomSource
    private var queue = EventQueue<() -> Void>()
    /// The first of each shard, then a standby of each.
    var servers: [KeyServer] = []
    /// By shard, the server that is its master.
    var masters: [Int]
    /// By slot, its shard.
    var owners: [Int]
    /// By slot, the shard that it is on the way to.
    var moving: [Int?]
    /// By shard, until when the view names the former master, and which one that is.
    var viewLags: [(until: Duration, former: Int)]
    /// By shard: its master changes just now.
    var isChanging: [Bool]
    var leader: PunctualLeader?
    var watched: [WatchedKey]
    /// What the servers were asked about each key in the last second, forged ones included.
    var asked: [Int: [Duration]] = [:]
    /// Owners have changed: questions go to and fro until then.
    var unsettledUntil: Duration = .zero
    var lateUntil: Duration = .zero
    var slowUntil: Duration = .zero
    var excusedUntil: Duration = .zero
    package internal(set) var announced = 0
    package private(set) var violation: PunctualViolation?
    package private(set) var trace: Trace

    package static let slots = 8
    /// The leader's monotonic clock began before.
    static let uptime = Duration.seconds(1_000)
    /// Hints, answers and clocks are quiet for so long before the end.
    private static let quiet = Duration.seconds(24)
    /// The time of day when a run begins, by a clock that is right.
    private static let begin = Duration.seconds(1_790_000_000)

    package init(_ schedule: PunctualSchedule, mistake: PunctualMistake? = nil, recording: Bool = false) {
        self.schedule = schedule
        self.mistake = mistake
        trace = Trace(isRecording: recording)
        var mix = RandomSource.seeded(schedule.seed ^ 0x5EED_0F70)
        random = .seeded(mix.next())
        let shards = schedule.shards
        masters = Array(0..<shards)
        owners = (0..<Self.slots).map { $0 % shards }
        moving = [Int?](repeating: nil, count: Self.slots)
        viewLags = [(until: Duration, former: Int)](repeating: (until: .zero, former: 0), count: shards)
        isChanging = [Bool](repeating: false, count: shards)
        watched = [WatchedKey](repeating: WatchedKey(), count: schedule.keys)
        for index in 0..<2 * shards {
            let offset = Self.begin + random.milliseconds(-200...200)
            servers.append(
                KeyServer(
                    index, shard: index % shards, isMaster: index < shards, keys: schedule.keys, offset: offset))
        }
    }

    // MARK: - Time

    func after(_ delay: Duration, _ action: @escaping () -> Void) { queue.plan(action, at: now + delay) }

    /// The leader's monotonic clock, in nanoseconds.
    var clock: Int64 { (now + Self.uptime).inNanoseconds }

    /// When the leader's monotonic clock says this.
    func time(_ nanoseconds: Int64) -> Duration { .nanoseconds(nanoseconds) - Self.uptime }

    /// What a server answers to TIME.
    func told(_ server: KeyServer) -> RESPValue {
        guard mistake == .localClock else { return server.told(now) }
        return KeyServer.told(since1970: now + Self.begin)
    }

    /// Runs the schedule to its end; returns the first promise that was broken, if one was.
    package func run() -> PunctualViolation? {
        startLeader()
        write()
        if schedule.expiresItself { expireSome() }
        for planned in schedule.faults {
            after(planned.at) { [unowned self] in
                note("fault", planned.number)
                happen(planned.fault)
            }
        }
        checkOverdue()
        let end = schedule.faultsEnd + Self.quiet
        while violation == nil, let time = queue.nextTime, time <= end, let next = queue.next() {
            now = max(now, time)
            trace.now = now
            next.element()
        }
        if violation == nil { checkTables() }
        // Servers, connections and tasks know each other: a long series of runs would keep them all.
        queue = EventQueue()
        letGo()
        return violation
    }

    func violate(_ promise: PunctualViolation.Promise, _ text: String) {
        guard violation == nil else { return }
        violation = PunctualViolation(promise: promise, at: now, text: text)
    }

    func note(_ what: StaticString, _ subject: Int, _ words: @autoclosure () -> String = "") {
        trace.note(what, subject, 0, words())
    }

    // MARK: - Keys

    func name(of key: Int) -> [UInt8] { Array("timer:\(key)".utf8) }

    /// Its number; nil for what is no key of the run.
    func number(of name: [UInt8]) -> Int? { Int(String(decoding: name.dropFirst(6), as: UTF8.self)) }

    func slot(of key: Int) -> Int { key % Self.slots }

    /// The server that has a key now, and whether its slot is on the way.
    func home(of key: Int) -> (server: KeyServer, isMoving: Bool) {
        let slot = slot(of: key)
        let owner = servers[masters[owners[slot]]]
        guard let target = moving[slot] else { return (owner, false) }
        return (owner.keys[key] == .absent ? servers[masters[target]] : owner, true)
    }
}
