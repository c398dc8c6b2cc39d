import DequeModule
import RESP

/// What is sent: questions as they gather, nudges as they fall due.
extension PunctualMachine {
    /// The next questions about deadlines.
    package mutating func nextQuestions(now: Int64) -> Step {
        while let place = trailing.popDue(now: now) {
            table[place].state.remove(.trailing)
            if table[place].state.contains(.asked) { table[place].state.insert(.again) } else { ask(place, now) }
        }
        guard !questions.isEmpty else { return .wait(until: trailing.next) }
        let begin = max(asksAgainAt, restsUntil)
        guard now >= begin || questions.count >= limits.questions && now >= restsUntil else {
            return .wait(until: begin)
        }
        var batch = Batch(kind: .question, isAbsolute: tellsDeadlines)
        while batch.places.count < limits.questions, let first = questions.popFirst() {
            let place = Int(first)
            table[place].state.remove(.queued)
            let state = table[place].state
            if state.contains(.asked) {
                table[place].state.insert(.again)
            } else if state.contains(.heard), !state.contains(.again) {
                forget(place)
            } else {
                send(place, now, &batch)
            }
        }
        guard !batch.places.isEmpty else { return .wait(until: trailing.next) }
        asksAgainAt = now + limits.linger
        return .send(batch)
    }

    /// The next nudges of keys whose deadline has surely passed by the server's clock.
    package mutating func nextNudges(now: Int64) -> Step {
        let step = nudges(now: now)
        // One that sends looks again when it has the answers.
        nudgesLookAt = if case .wait(let until) = step { until ?? .max } else { .min }
        return step
    }

    /// Whether the nudging task would sleep past what is due next.
    var nudgesAreNearer: Bool {
        guard clock.isKnown, let next = table.wheel.nextTime else { return false }
        return max(clock.reaches(next), restsUntil, rate.next) < nudgesLookAt
    }

    private mutating func nudges(now: Int64) -> Step {
        guard clock.isKnown else { return .wait(until: nil) }
        table.wheel.advance(to: clock.surely(now))
        let begin = max(restsUntil, rate.next)
        guard now >= begin else { return .wait(until: begin) }
        var batch = Batch(kind: .nudge)
        while batch.places.count < limits.nudges, let place = table.wheel.popDue() {
            let entry = table[place]
            // Its answer is under way.
            if entry.state.contains(.asked) { continue }
            if entry.state.contains(.heard) {
                forget(place)
                continue
            }
            if entry.state.contains(.gone), !mayAskAgain(place, now) { continue }
            send(place, now, &batch)
        }
        guard batch.places.isEmpty else {
            rate.nudged(batch.places.count, now: now)
            return .send(batch)
        }
        return .wait(until: table.wheel.nextTime.map { clock.reaches($0) })
    }

    /// Whether a key that was gone is asked once more; else it is forgotten.
    private mutating func mayAskAgain(_ place: Int, _ now: Int64) -> Bool {
        let since = Int64(milliseconds(now) &- table[place].moment) * 1_000_000
        guard min(confirmedAt, wroteAt) > now - since else { return true }
        guard table[place].state.contains(.missed) else {
            // The next answer is to be confirmed anew.
            table[place].state.remove(.gone)
            table[place].state.insert(.missed)
            return true
        }
        forget(place)
        return false
    }

    private mutating func send(_ place: Int, _ now: Int64, _ batch: inout Batch) {
        batch.places.append(place)
        if table[place].state.contains(.importing) { batch.asking.insert(place) }
        table[place].state.insert(.asked)
        table[place].state.remove(.again)
        // Of one that is gone it is when that was said first.
        if !table[place].state.contains(.gone) { table[place].moment = milliseconds(now) }
    }

    /// Writes the batch as it goes over the wire. Where it asks for what is left of a key's life, TIME
    /// comes first: if the clock was set since it was last asked, the deadline would be wrong by that much.
    func encode(_ batch: Batch) -> RESPPipeline {
        let command: PipelinedCommand = batch.isAbsolute ? .pexpiretime : .pttl
        var pipeline = RESPPipeline(reserving: 16 + batch.places.count * 64)
        if !batch.isAbsolute { pipeline.append(.time) }
        for place in batch.places {
            if batch.asking.contains(place) { pipeline.append(.asking) }
            table.withKey(place) { pipeline.append(command, $0) }
        }
        return pipeline
    }
}
