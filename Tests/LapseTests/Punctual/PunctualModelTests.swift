import LeaderElection
import RESP
import RedisClient
import Testing

@testable import Lapse

/// The machine against a server in simulated time. Promised: a key whose deadline has passed while the
/// server could be reached is announced within a second, whatever became of hints, answers and clocks;
/// and nothing is kept for ever.
struct PunctualModelTests {
    @Test(arguments: 0..<24 as Range<UInt64>)
    func announcedWithinASecond(seed: UInt64) {
        var world = PunctualWorld(seed: seed)
        world.run(seconds: 46)
        #expect(world.violations.isEmpty)
        #expect(world.announced > 50)
        let left = world.machine.table.places.filter { !world.isAhead($0) }
        #expect(left.isEmpty, "what is gone is forgotten")
    }

    @Test("the promise notices a mistake", arguments: PunctualWorld.Mistake.allCases)
    func planted(mistake: PunctualWorld.Mistake) {
        let found = (0..<60 as Range<UInt64>).contains { seed in
            var world = PunctualWorld(seed: seed, mistake: mistake)
            world.run(seconds: 46)
            return !world.violations.isEmpty
        }
        #expect(found)
    }
}

/// One server, the keys on it, and the machine that is to make it punctual. A step is a millisecond.
struct PunctualWorld {
    enum Mistake: CaseIterable {
        /// Nudges go by the own clock.
        case localClock
        /// It is a master, so what it says of a key is true.
        case pauseOverlooked
        /// What is left of a key's life is counted from a time that was told before the server's clock was set.
        case clockNotChecked
        /// A hint for a known key is passed over.
        case shortenedTTLMissed
        /// Gone once is gone.
        case goneForgets
        /// What the server redirects is dropped.
        case forgottenWhenRefused
    }

    private struct Flight {
        var batch: PunctualMachine.Batch
        var sent: Int64
        var arrives: Int64
        var replies: [RESPValue]?
        var time: RESPValue?
        var answered: Int64 = 0
    }

    var machine = PunctualMachine(bytes: 8 << 20)
    private(set) var announced = 0
    private(set) var violations: [String] = []
    private let mistake: Mistake?
    private var random: RandomSource
    /// Nanoseconds of the own clock.
    private var now: Int64 = 1_000_000_000
    /// What the server's clock is ahead, in milliseconds.
    private var offset: Int64 = 1_790_000_000_000
    private var deadlines: [Int: Int64] = [:]
    /// Since when a key is overdue while everything needed could be done, in milliseconds.
    private var overdue: [Int: Int] = [:]
    private var flights: [Flight] = []
    private var hints: [(key: Int, at: Int64)] = []
    private var isPaused = false
    private var isRefusing = false
    private var lookBegan: Int64 = 0

    init(seed: UInt64, mistake: Mistake? = nil) {
        random = .seeded(seed)
        self.mistake = mistake
        machine.tellsDeadlines = seed % 2 == 0
        tellTime()
    }

    /// Whether nothing is to be done about a key but to wait.
    func isAhead(_ place: Int) -> Bool {
        machine.table[place].state.subtracting(.owed) == .known && machine.table[place].deadline > server
    }

    private var server: Int64 { now / 1_000_000 + offset }

    /// What the server says of its time, in nanoseconds.
    private var time: Int64 {
        mistake == .localClock ? now + 1_790_000_000_000_000_000 : now + offset * 1_000_000
    }

    private static func key(_ number: Int) -> [UInt8] { Array("timer:\(number)".utf8) }

    mutating func run(seconds: Int) {
        for step in 0..<seconds * 1_000 {
            now += 1_000_000
            if step < (seconds - 14) * 1_000 { disturb(step) } else { (isPaused, isRefusing) = (false, false) }
            if step % 500 == 0 { tellTime() }
            if step % 1_000 == 0 {
                // A paused server says all the time that it is the master, and takes no write.
                machine.confirmedAt = lookBegan
                if !isPaused || mistake == .pauseOverlooked { machine.wroteAt = now }
                lookBegan = now
            }
            deliver()
            send { $0.nextNudges(now: $1) }
            send { $0.nextQuestions(now: $1) }
            watch()
        }
    }

    private mutating func tellTime() {
        let delay = Int64.random(in: 20_000...400_000, using: &random)
        machine.told(time, asked: now - delay, heard: now + delay)
    }

    private mutating func disturb(_ step: Int) {
        if Int.random(in: 0..<20, using: &random) == 0 { change(Int.random(in: 0..<40, using: &random)) }
        if step % 8_000 == 3_999 { isPaused = Bool.random(using: &random) }
        if step % 8_000 == 7_999 { isPaused = false }
        if step % 5_000 == 4_999 { isRefusing = Bool.random(using: &random) }
        if step % 5_000 == 600 { isRefusing = false }
        // Well before TIME is asked the next time.
        if step % 9_000 == 8_600 {
            offset += Int64.random(in: -3_000...3_000, using: &random)
            overdue = [:]
        }
    }

    /// A writer does something about a key, or a hint is forged.
    private mutating func change(_ key: Int) {
        guard !isPaused else { return }
        switch Int.random(in: 0..<8, using: &random) {
        case 0: deadlines[key] = nil
        case 1: deadlines[key] = deadlines[key].map { _ in server + 3_600_000 }
        case 2: hint(1_000 + key)
        case 3:
            for _ in 0..<30 { hint(key) }
        default: deadlines[key] = server + Int64.random(in: 1...6_000, using: &random)
        }
        overdue[key] = nil
        if deadlines[key] != nil { hint(key) }
    }

    /// Late, out of order, twice.
    private mutating func hint(_ key: Int) {
        for _ in 0..<Int.random(in: 1...2, using: &random) {
            hints.append((key, now + Int64.random(in: 0...20_000_000, using: &random)))
        }
    }

    private mutating func send(_ next: (inout PunctualMachine, Int64) -> PunctualMachine.Step) {
        guard flights.count < 4, case .send(let batch) = next(&machine, now) else { return }
        let arrives = now + Int64.random(in: 0...2_000_000, using: &random)
        flights.append(Flight(batch: batch, sent: now, arrives: arrives))
    }

    private mutating func deliver() {
        let due = hints.filter { $0.at <= now }
        hints.removeAll { $0.at <= now }
        for (key, _) in due {
            let bytes = Self.key(key)
            if mistake == .shortenedTTLMissed, let place = machine.table.find(bytes),
                machine.table[place].state.contains(.known)
            {
                continue
            }
            _ = machine.hint(bytes, now: now)
        }
        for index in flights.indices where flights[index].replies == nil && flights[index].arrives <= now {
            flights[index].replies = flights[index].batch.places.map { answer($0, flights[index].batch.kind) }
            flights[index].time = .array([.integer(time / 1_000_000_000), .integer(time / 1_000 % 1_000_000)])
            flights[index].answered = now + Int64.random(in: 0...2_000_000, using: &random)
        }
        let done = flights.filter { $0.replies != nil && $0.answered <= now }
        flights.removeAll { $0.replies != nil && $0.answered <= now }
        for flight in done {
            guard Int.random(in: 0..<200, using: &random) > 0 else {
                machine.failed(flight.batch, now: now)
                continue
            }
            if !flight.batch.isAbsolute, mistake != .clockNotChecked {
                machine.checked(flight.time, asked: flight.sent, heard: now)
            }
            let outcome = machine.answered(flight.batch, flight.replies ?? [], sent: flight.sent, now: now)
            for (place, _) in outcome.redirected {
                if mistake == .forgottenWhenRefused {
                    _ = machine.release(place)
                } else {
                    machine.putOff(place, now)
                }
            }
            guard mistake == .goneForgets else { continue }
            for (place, reply) in zip(flight.batch.places, flight.replies ?? [])
            where reply == .integer(-2) && machine.table[place].state.contains(.gone) {
                machine.forget(place)
            }
        }
    }

    private mutating func answer(_ place: Int, _ kind: PunctualMachine.Kind) -> RESPValue {
        if isRefusing { return .error(RESPError("MOVED 1 127.0.0.1:1")) }
        let text = String(decoding: machine.table.key(place), as: UTF8.self)
        guard let key = Int(text.dropFirst("timer:".count)), let deadline = deadlines[key] else { return .integer(-2) }
        if server > deadline {
            guard !isPaused else { return .integer(-2) }
            deadlines[key] = nil
            overdue[key] = nil
            announced += 1
            let bytes = Self.key(key)
            _ = machine.heard(bytes, now: now)
            return .integer(-2)
        }
        return .integer(kind == .question && machine.tellsDeadlines ? deadline : deadline - server)
    }

    private mutating func watch() {
        for (key, deadline) in deadlines where server > deadline {
            guard !isPaused, !isRefusing else {
                overdue[key] = 0
                continue
            }
            overdue[key, default: 0] += 1
            if overdue[key] == 1_300 {
                violations.append("timer:\(key) is 1.3 s overdue at \(now / 1_000_000) ms")
            }
        }
    }
}
