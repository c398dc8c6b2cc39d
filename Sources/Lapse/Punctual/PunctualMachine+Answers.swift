package import RESP
package import RedisClient

/// What the answers mean.
extension PunctualMachine {
    /// What only the caller can see to.
    package struct Outcome: Sendable {
        /// Keys that are another node's.
        package var redirected: [(place: Int, to: Redirection)] = []
        /// A refusal that does not pass.
        package var refusal: RESPError?
        /// Something is due before the nudging task looks again.
        package var hasNews = false
    }

    /// What one machine knows of a key that is another's from now on.
    package struct KnownElsewhere: Sendable {
        package var key: [UInt8]
        package var deadline: Int64?
        /// It was hinted at, and the question was not answered.
        package var isDoubtful: Bool
    }

    /// The server has answered a batch.
    ///
    /// - Parameters:
    ///   - replies: one a key, and one for each ASKING.
    ///   - time: its answer to TIME, ahead of the batch.
    ///   - sent: when it went off.
    package mutating func answered(
        _ batch: Batch, _ replies: some Collection<RESPValue>, at time: RESPValue? = nil, sent: Int64, now: Int64
    ) -> Outcome {
        var outcome = Outcome()
        let latest = latestTime(of: time, now)
        var rest = replies[...]
        for place in batch.places {
            if batch.asking.contains(place) {
                _ = rest.popFirst()
                table[place].state.remove(.importing)
            }
            guard let reply = rest.popFirst() else {
                putOff(place, now)
                continue
            }
            // One that is no longer asked was handed over meanwhile: the place may be free.
            if table[place].state.contains(.asked) { take(reply, of: place, batch, latest, now, &outcome) }
        }
        if batch.kind == .nudge, batch.places.count == limits.nudges {
            restsUntil = now + work(in: now - sent) * limits.rest
        }
        outcome.hasNews = nudgesAreNearer
        return outcome
    }

    /// What of the time that an answer took the server may have worked for it: neither the way there and
    /// back, nor what held it up.
    package func work(in took: Int64) -> Int64 { min(max(0, took - clock.roundTrip), limits.work) }

    /// Nothing came back.
    package mutating func failed(_ batch: Batch, now: Int64) {
        for place in batch.places { putOff(place, now) }
        restsUntil = now + limits.patience
    }

    /// Tries again in a while: the node is loading, or the one that the key is at now is not known yet.
    package mutating func putOff(_ place: Int, _ now: Int64) {
        guard table[place].state.contains(.asked) else { return }
        // What could not be asked is not gone a second time, and what was heard may be of before the question.
        table[place].state.subtract([.asked, .gone, .heard])
        table.wheel.insert(place, at: clock.surely(now) + limits.patience / 1_000_000)
    }

    /// A key that was asked about is another machine's from now on; nil when it is not this one's any more.
    package mutating func release(_ place: Int) -> KnownElsewhere? {
        guard table[place].state.contains(.asked) else { return nil }
        table[place].state.remove(.asked)
        let entry = table[place]
        let known = copy(place)
        guard entry.state.isDisjoint(with: .pinning) else {
            // What waits here is asked there.
            table[place].state.remove(.again)
            table[place].state.insert(.heard)
            return known
        }
        table.remove(place)
        return known
    }

    /// What another machine may begin with. Nothing changes here: answers may still be under way.
    package func copy(_ place: Int) -> KnownElsewhere {
        let entry = table[place]
        let key = table.withKey(place) { [UInt8](copying: $0) }
        return KnownElsewhere(
            key: key, deadline: entry.state.contains(.known) ? entry.deadline : nil,
            isDoubtful: !entry.state.isDisjoint(with: [.queued, .asked, .again, .trailing]))
    }

    private mutating func take(
        _ reply: RESPValue, of place: Int, _ batch: Batch, _ latest: Int64, _ now: Int64, _ outcome: inout Outcome
    ) {
        switch reply {
        case .integer(-2): isGone(place, now)
        case .integer(-1): hasNoDeadline(place, now)
        case .integer(let number) where number >= 0:
            table[place].state.remove(.asked)
            keep(deadline(number, place, batch, latest), place, now)
            askAgainIfHinted(place, now)
        case .error(let error):
            switch Redirection(error) {
            case .moved, .ask:
                // What a hint has asked is still open, whatever was known before it.
                if batch.kind == .question { table[place].state.insert(.again) }
                outcome.redirected.append((place, Redirection(error)))
            case .retry, .sendScript: putOff(place, now)
            case .none where batch.isAbsolute && error.text.lowercased().contains("pexpiretime"):
                // Not known, or not granted: a nudge asks by PTTL.
                refusedDeadlines()
                putOff(place, now)
            case .none:
                outcome.refusal = error
                uncovered += 1
                table[place].state.remove(.asked)
                forget(place)
            }
        default: putOff(place, now)
        }
    }

    /// What a number says that is not below zero.
    private func deadline(_ number: Int64, _ place: Int, _ batch: Batch, _ latest: Int64) -> Int64 {
        // A server's clock, and what it says of a key's life, may be anything.
        let number = min(number, 1 << 53)
        if batch.isAbsolute { return number }
        // Not earlier than the truth: a nudge that comes too early costs another one.
        let told = latest + number
        let entry = table[place]
        // Asked a little too early: what was known is exact.
        let isSame =
            entry.state.contains(.known) && abs(told - entry.deadline) <= 5 + (clock.most - clock.least) / 1_000_000
        return isSame ? entry.deadline : told
    }

    /// The server's time in milliseconds when it answered a batch, not earlier than the truth.
    ///
    /// It said what time it is ahead of the batch, and took a moment for the rest. Where it had been held
    /// up before, the own clock knows its time less exactly than that.
    private func latestTime(of time: RESPValue?, _ now: Int64) -> Int64 {
        let most = clock.atMost(now)
        return ServerClock.nanoseconds(time).map { min($0 / 1_000_000 + Self.momentForBatch, most) } ?? most
    }

    private static let momentForBatch: Int64 = 3

    private mutating func isGone(_ place: Int, _ now: Int64) {
        table[place].state.remove(.asked)
        let state = table[place].state
        if state.contains(.again) { return askAgainIfHinted(place, now) }
        if state.contains(.heard) { return forget(place) }
        // Soon the first time: a pause during a failover is short. Confirmation takes up to two looks.
        let wait: Int64 = state.contains(.gone) ? 900 : state.contains(.missed) ? 2_100 : 250
        if !state.contains(.gone) { table[place].moment = milliseconds(now) }
        table[place].state.insert(.gone)
        table.wheel.insert(place, at: clock.surely(now) + wait)
    }

    private mutating func hasNoDeadline(_ place: Int, _ now: Int64) {
        table[place].state.remove(.asked)
        guard table[place].state.contains(.again) else { return forget(place) }
        table.wheel.remove(place)
        askAgainIfHinted(place, now)
    }

    private mutating func askAgainIfHinted(_ place: Int, _ now: Int64) {
        guard table[place].state.contains(.again) else { return }
        table[place].state.subtract([.again, .heard])
        guard table[place].state.isDisjoint(with: [.queued, .trailing]) else { return }
        trail(place, for: Int64(limits.again) * 1_000_000, now)
    }
}
