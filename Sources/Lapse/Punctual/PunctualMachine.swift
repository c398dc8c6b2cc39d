import DequeModule
package import RESP

/// Decides what to ask one server about which key, and when: hints and answers in, questions and nudges
/// out. A nudge is a question past the deadline: answering it, the server expires the key and announces
/// it.
///
/// A key that is gone is no announcement, for demoted and paused masters say so too. A deadline is
/// forgotten when its expiration was heard, or when the key was gone twice by the word of a node whose
/// role was confirmed behind each. Pure: times are the own monotonic clock's, in nanoseconds; deadlines
/// the server's, in milliseconds.
package struct PunctualMachine: Sendable {
    package struct Limits: Sendable {
        /// Questions and nudges in one write.
        package var questions = 512
        package var nudges = 256
        /// How long questions gather for one write, in nanoseconds: less than hints do, whose reading would
        /// else mostly find that it is not time yet.
        var linger: Int64 = 3_000_000
        /// A key that was just asked about is asked again after this, in milliseconds.
        package var again: UInt32 = 1_000
        /// Hints taken in a second: what lies beyond is left to a sweep.
        package var hints = 250_000
        /// After a full write of nudges the server has this many times as long as it worked for its other
        /// clients.
        var rest: Int64 = 1
        /// The longest that it works for one write, in nanoseconds: what takes longer was held up.
        var work: Int64 = 50_000_000
        /// How long after a failure, or a refusal that passes, the same is tried again, in nanoseconds.
        var patience: Int64 = 100_000_000
    }

    package enum Kind: Sendable { case question, nudge }

    /// What goes to the server in one write.
    package struct Batch: Sendable {
        package var kind: Kind
        package var places: [Int] = []
        /// Those before whose question ASKING goes: slots move while it is under way.
        package var asking: Set<Int> = []
        /// It asks for absolute deadlines.
        package var isAbsolute = false
    }

    package enum Step: Sendable {
        case send(Batch)
        /// Nothing to do before that, or before something changes.
        case wait(until: Int64?)
    }

    package var limits = Limits()
    package var table: DeadlineTable
    var clock = ServerClock()
    /// The server tells absolute deadlines (PEXPIRETIME).
    var tellsDeadlines = false
    /// It does not tell them to this user, whatever its version: asked once, not after each reconnection.
    private(set) var isRefusedDeadlines = false
    /// When the look began that last confirmed that this server is the master.
    package var confirmedAt: Int64 = .min
    /// When it was asked that last took a write: a server whose writes are paused says of overdue keys that
    /// they are gone.
    package var wroteAt: Int64 = .min
    var questions: Deque<UInt32> = []
    var trailing = TrailingQuestions()
    /// Nothing is sent before.
    var restsUntil: Int64 = .min
    var asksAgainAt: Int64 = .min
    /// When the nudging task looks again by itself.
    var nudgesLookAt: Int64 = .min
    var rate = NudgeRate()
    /// Deadlines within the horizon that could not be kept, and hints that could not be followed, since
    /// last taken.
    var uncovered = 0
    /// What falls due within two sweeps must be kept: a sweep brings in the rest. In milliseconds.
    var horizon: Int64 = 600_000
    private var hintSecond: Int64 = 0
    private var hintCount = 0
    /// The asking task waits for no time, or for a later one: it must be woken.
    private var isAwaited = false
    /// Hints were passed over: only a sweep can make up for that.
    package var hasMissedHints = false
    /// There was no room to ask about a key: there may be when the sweep meets it.
    package var hasFoundNoRoom = false

    /// - Parameter seed: of the table's hashes; nil for the process's own.
    package init(bytes: Int, seed: UInt64? = nil) {
        table = DeadlineTable(limit: bytes, now: 0, seed: seed ?? KeyHash.seed)
    }

    // MARK: - What is heard

    /// A key's TTL may have changed.
    ///
    /// - Returns: whether the asking task must be woken: there is something to ask, or enough for a full
    ///   write.
    package mutating func hint(_ key: RawSpan, now: Int64) -> Bool {
        if now - hintSecond >= 1_000_000_000 {
            hintSecond = now
            hintCount = 0
        }
        hintCount += 1
        guard hintCount <= limits.hints else {
            hasMissedHints = true
            return false
        }
        look(at: key, now: now)
        return takeAwaited()
    }

    /// A sweep has met a key.
    ///
    /// - Parameter renewsSince: before that hints may have been missed: a deadline that was asked for
    ///   earlier may be wrong. Nil where none is.
    package mutating func met(_ key: RawSpan, renewsSince: Int64?, now: Int64) -> Bool {
        if let place = table.find(key), table[place].state.contains(.known) {
            guard let renewsSince else { return false }
            // What a hint has told since the sweep began, it needs not tell again.
            let entry = table[place]
            let isNewer = milliseconds(now) &- entry.moment < milliseconds(now - renewsSince)
            if isNewer, entry.state.isDisjoint(with: .gone) { return false }
        }
        look(at: key, now: now)
        return takeAwaited()
    }

    /// Whether the asking task must be woken: to be looked at whenever something was heard or answered.
    package mutating func takeAwaited() -> Bool {
        defer { isAwaited = false }
        return isAwaited
    }

    /// The server has announced the expiration of a key.
    ///
    /// - Returns: its deadline, when it was known.
    package mutating func heard(_ key: RawSpan, now: Int64) -> Int64? {
        guard let place = table.find(key) else { return nil }
        let entry = table[place]
        if entry.state.contains(.known), entry.deadline > clock.atMost(now) {
            // One that came before: the key was set again meanwhile.
            table[place].state.remove(.owed)
            if entry.state.contains(.asked) { table[place].state.insert(.again) } else { ask(place, now) }
            return nil
        }
        if entry.state.contains(.owed) {
            // One that came before, too, where this deadline was not nudged yet. Else more likely its own, but
            // servers whose writes are paused say that a key is gone: it is looked at once more.
            table[place].state.remove(.owed)
            return entry.state.isDisjoint(with: [.asked, .gone]) ? nil : entry.deadline
        }
        if entry.state.isDisjoint(with: .pinning) {
            // It may be of before where a question was not answered: that is still to be asked.
            if !entry.state.isDisjoint(with: [.known, .gone]) { table.remove(place) }
        } else if entry.state.isDisjoint(with: [.queued, .trailing]) {
            table[place].state.insert(.heard)
            table.wheel.remove(place)
        } else {
            // A hint may be of the time after: the answer decides, and soon, for that time may be short.
            table.forgetDeadline(of: place)
            ask(place, now)
        }
        return entry.state.contains(.known) ? entry.deadline : nil
    }

    /// What another server's machine knew of a key that is this one's now.
    package mutating func adopt(_ key: RawSpan, _ known: KnownElsewhere, isImporting: Bool, now: Int64) {
        guard let (place, _) = table.place(of: key) else {
            uncovered += 1
            return
        }
        if isImporting { table[place].state.insert(.importing) } else { table[place].state.remove(.importing) }
        // It may have been given away just now, and a question still stand in the queue: that one is to be
        // asked.
        table[place].state.subtract([.heard, .gone, .missed])
        // What this server was asked itself is newer.
        guard let deadline = known.deadline, !table[place].state.contains(.known) else { return ask(place, now) }
        if known.isDoubtful { ask(place, now) }
        keep(deadline, place, now)
    }

    /// The server's version is known.
    package mutating func greeted(major version: Int) { tellsDeadlines = version >= 7 && !isRefusedDeadlines }

    /// What PTTL says is a little less exact.
    mutating func refusedDeadlines() {
        isRefusedDeadlines = true
        tellsDeadlines = false
    }

    /// The server said what time it is.
    package mutating func told(_ time: Int64, asked: Int64, heard: Int64) {
        guard clock.answered(time, asked: asked, heard: heard) < -1_000_000 else { return }
        table.wheel.rewind(to: clock.surely(heard))
        // What was to be tried again at a time of the clock as it was would wait until then.
        for place in table.places where table[place].state.isDisjoint(with: [.asked, .heard]) {
            let state = table[place].state
            if state.contains(.gone) {
                table.wheel.insert(place, at: clock.surely(heard) + 250)
            } else if state.contains(.known) {
                table.wheel.insert(place, at: table[place].deadline + 1)
            } else if state.isDisjoint(with: .pinning) {
                table.wheel.insert(place, at: clock.surely(heard) + limits.patience / 1_000_000)
            }
        }
    }

    /// The server said what time it is, ahead of what is left of the life of some keys: of use only if its
    /// clock was set.
    ///
    /// Not another sample where it was not: a write of many nudges takes too long to narrow anything down.
    package mutating func checked(_ reply: RESPValue?, asked: Int64, heard: Int64) {
        guard let time = ServerClock.nanoseconds(reply), !clock.allows(time, asked: asked, heard: heard) else { return }
        told(time, asked: asked, heard: heard)
    }

    private mutating func look(at key: RawSpan, now: Int64) {
        guard let (place, isNew) = table.place(of: key) else {
            if key.byteCount <= KeyArena.longestKey { hasFoundNoRoom = true }
            uncovered += 1
            return
        }
        let entry = table[place]
        if !isNew {
            if entry.state.contains(.asked) {
                table[place].state.insert(.again)
                return
            }
            // An answer from before the hint says nothing about the key now.
            table[place].state.subtract([.heard, .gone, .missed])
            guard entry.state.isDisjoint(with: [.queued, .trailing]) else { return }
            let since = milliseconds(now) &- entry.moment
            if entry.state.contains(.gone) || since < limits.again {
                let wait = entry.state.contains(.gone) ? limits.again / 4 : limits.again - since
                return trail(place, for: Int64(wait) * 1_000_000, now)
            }
        }
        ask(place, now)
    }

    mutating func ask(_ place: Int, _ now: Int64) {
        guard table[place].state.isDisjoint(with: [.queued, .asked]) else { return }
        table[place].state.insert(.queued)
        questions.append(UInt32(place))
        // Once for each write, not for each question.
        if questions.count == 1 || questions.count == limits.questions { isAwaited = true }
    }

    mutating func trail(_ place: Int, for wait: Int64, _ now: Int64) {
        table[place].state.insert(.trailing)
        let next = trailing.next
        trailing.add(place, at: now + wait, now: now)
        if next != trailing.next { isAwaited = true }
    }

    mutating func keep(_ deadline: Int64, _ place: Int, _ now: Int64) {
        let entry = table[place]
        if entry.state.contains(.known), entry.state.isDisjoint(with: .heard), entry.deadline < deadline,
            entry.deadline < clock.surely(now)
        {
            table[place].state.insert(.owed)
        }
        table[place].state.subtract([.heard, .gone, .missed])
        for displaced in table.set(deadline, of: place) where displaced - clock.atMost(now) < horizon { uncovered += 1 }
    }

    func milliseconds(_ now: Int64) -> UInt32 { UInt32(truncatingIfNeeded: now / 1_000_000) }

    /// Forgets a key of which nothing more is to be expected.
    package mutating func forget(_ place: Int) {
        if table[place].state.isDisjoint(with: .pinning) { table.remove(place) }
    }
}
