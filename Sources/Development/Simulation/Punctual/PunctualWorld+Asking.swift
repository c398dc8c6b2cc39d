import Lapse
import RESP
import RedisClient
import Timing

/// Questions, nudges and the server's clock: what the tasks of a `PunctualNode` do.
extension PunctualWorld {
    /// Asks, or nudges, until the asker is over.
    func work(_ kind: PunctualMachine.Kind, _ asker: Asker) {
        guard !asker.isOver else { return }
        let isNudge = kind == .nudge
        let step = isNudge ? asker.machine.nextNudges(now: clock) : asker.machine.nextQuestions(now: clock)
        switch step {
        case .wait(let until):
            wait(isNudge ? asker.nudgeBell : asker.askBell, until: until.map { time($0) }) { [unowned self] in
                work(kind, asker)
            }
        case .send(let batch): exchange(batch, asker)
        }
    }

    private func exchange(_ batch: PunctualMachine.Batch, _ asker: Asker) {
        let sent = clock
        // Later the places may be those of other keys.
        let keys = batch.places.map { place in
            number(of: asker.machine.table.withKey(place) { [UInt8](copying: $0) })
        }
        note(batch.kind == .nudge ? "nudge" : "ask", asker.server.index, "\(keys.compactMap(\.self))")
        send(asker) { [unowned self] time in
            var replies: [RESPValue] = batch.isAbsolute ? [] : [time]
            for (place, key) in zip(batch.places, keys) {
                let isAsking = batch.asking.contains(place)
                if isAsking { replies.append(.simple("OK")) }
                replies.append(
                    answer(
                        about: key, batch, isAsking: isAsking && mistake != .askingForgotten, asker.server))
            }
            return .values(replies)
        } then: { [unowned self] answer in
            if case .values(let replies)? = answer {
                take(replies, batch, keys, sent, asker)
            } else {
                asker.machine.failed(batch, now: clock)
                // What could not be asked is nudged instead.
                for key in keys { allowEarly(key, 1) }
                ring(asker.nudgeBell)
            }
            work(batch.kind, asker)
        }
    }

    private func take(
        _ replies: [RESPValue], _ batch: PunctualMachine.Batch, _ keys: [Int?], _ sent: Int64, _ asker: Asker
    ) {
        if !batch.isAbsolute, mistake != .clockNotChecked {
            asker.machine.checked(replies.first, asked: sent, heard: clock)
        }
        let answers = replies.dropFirst(batch.isAbsolute ? 0 : 1)
        let outcome = asker.machine.answered(
            batch, answers, at: batch.isAbsolute ? nil : replies.first, sent: sent, now: clock)
        if asker.machine.takeAwaited() { ring(asker.askBell) }
        if mistake == .goneForgets {
            for place in batch.places where asker.machine.table[place].state.contains(.gone) {
                asker.machine.forget(place)
            }
        }
        // What it kept has been handed over.
        if asker.isOver { return }
        for (place, redirection) in outcome.redirected where !redirect(place, redirection, batch.kind, asker) {
            asker.machine.putOff(place, clock)
        }
        // A deadline that was told as what is left is as exact as the clock.
        let isExact = batch.isAbsolute || now >= asker.wideUntil
        for key in keys { allowLate(key, isExact ? .zero : asker.width) }
        // What was redirected or refused is nudged before it is due.
        if answers.contains(where: { $0.error != nil }) {
            for key in keys { allowEarly(key, 1) }
        }
        if !outcome.redirected.isEmpty { refreshSoon() }
        if outcome.hasNews || !outcome.redirected.isEmpty { ring(asker.nudgeBell) }
    }

    /// A node has said that a key is another's: false when that one is not known.
    private func redirect(
        _ place: Int, _ redirection: Redirection, _ kind: PunctualMachine.Kind, _ asker: Asker
    ) -> Bool {
        let (target, isImporting): (NodeAddress?, Bool)
        switch redirection {
        case .moved(let address): (target, isImporting) = (address, false)
        case .ask(let address): (target, isImporting) = (address, true)
        default: return false
        }
        guard let target, let other = leader?.asker(at: target.port - KeyServer.firstPort), other !== asker,
            var known = asker.machine.release(place)
        else { return false }
        if mistake == .forgottenAtMoved { return true }
        if mistake == .doubtForgotten, kind == .question { known.isDoubtful = false }
        adopt(known, isImporting: isImporting, other)
        wake(other)
        return true
    }

    func adopt(_ known: PunctualMachine.KnownElsewhere, isImporting: Bool, _ asker: Asker) {
        // Unsafe in name only: a byte has no padding.
        asker.machine.adopt(unsafe known.key.span.bytes, known, isImporting: isImporting, now: clock)
    }

    func wake(_ asker: Asker) {
        ring(asker.askBell)
        ring(asker.nudgeBell)
    }

    // MARK: - The server's clock

    /// Asks for the time, and whether writes are taken.
    func keepClock(_ asker: Asker, isGreeted: Bool = false, turn: Int = 0) {
        guard !asker.isOver else { return }
        let asked = clock
        // EVAL waits behind TIME while writes are paused.
        send(asker, isWrite: mistake != .pauseOverlooked) { time in
            .values([time])
        } then: { [unowned self] answer in
            guard case .values(let replies)? = answer else { return keepClockLater(asker, false, 0) }
            if !isGreeted { asker.machine.greeted(major: schedule.deadlines == .unknown ? 6 : 7) }
            asker.machine.wroteAt = asked
            if clock - asked > 100_000_000 {
                asker.width = .nanoseconds(clock - asked)
                asker.wideUntil = now + .milliseconds(700)
            }
            if let words = replies.first?.array, words.count == 2, let seconds = words[0].int, let micros = words[1].int
            {
                let time = seconds * 1_000_000_000 + micros * 1_000
                asker.machine.told(time, asked: asked, heard: clock)
                ring(asker.nudgeBell)
            }
            keepClockLater(asker, true, turn + 1)
        }
    }

    private func keepClockLater(_ asker: Asker, _ isGreeted: Bool, _ turn: Int) {
        after(turn > 0 && turn < 8 ? .milliseconds(5) : .milliseconds(500)) { [unowned self] in
            keepClock(asker, isGreeted: isGreeted, turn: turn)
        }
    }
}
