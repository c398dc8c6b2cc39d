import Lapse
import Timing

/// The connection that brings the hints.
extension PunctualWorld {
    /// Subscribes to a server's hints, and again whenever that ends.
    func listen(_ asker: Asker) {
        after(random.microseconds(500...4_000)) { [unowned self] in
            guard !asker.isOver else { return }
            guard asker.server.isReachable(now) else { return listenAgain(asker) }
            let line = HintLine(asker)
            asker.hintLine = line
            asker.server.hintLines.append(line)
            asker.reconnection.begins(now: now)
            // What was set while no connection heard hints.
            asker.pace.want()
            setHints(true, asker)
            excuse(asker)
        }
    }

    private func listenAgain(_ asker: Asker) {
        let random = Double(random.pick(1_000)) / 1_000
        after(asker.reconnection.next(random: random)) { [unowned self] in
            if !asker.isOver { listen(asker) }
        }
    }

    private func setHints(_ areHeard: Bool, _ asker: Asker) {
        if areHeard, !asker.pace.isHinted { asker.pace.want() }
        let hasChanged = asker.pace.isHinted != areHeard
        asker.pace.isHinted = areHeard
        if hasChanged { ring(asker.sweepBell) }
    }

    /// No hint comes any more; the leader finds out later.
    func cutHints(_ server: KeyServer, noticedAfter lag: Duration) {
        let lines = server.hintLines
        server.hintLines = []
        for line in lines {
            line.isFlowing = false
            let asker = line.asker
            after(lag) { [unowned self] in
                guard !asker.isOver, asker.hintLine === line else { return }
                asker.hintLine = nil
                setHints(false, asker)
                asker.reconnection.ends(now: now)
                excuse(asker)
                listenAgain(asker)
            }
        }
    }

    /// The server says that the TTL of a key was set.
    func hint(_ key: Int, _ server: KeyServer) {
        for line in server.hintLines { send(key, line) }
    }

    /// Late, out of order, twice.
    func send(_ key: Int, _ line: HintLine) {
        for _ in 0..<(random.chance(20) ? 2 : 1) {
            let delay = lateUntil > now ? random.milliseconds(0...2_000) : random.microseconds(100...5_000)
            excuse(key, until: now + delay)
            let asker = line.asker
            after(delay) { [unowned self] in
                if line.isFlowing, !asker.isOver { take(key, asker) } else { missed(key, asker) }
            }
        }
    }

    /// A sweep makes up for it, unless the key is another server's by now, and the leader does not know.
    private func missed(_ key: Int, _ asker: Asker) {
        guard key < watched.count, home(of: key).server !== asker.server, !isSeen(slot(of: key)) else { return }
        watched[key].isUnheard = true
    }

    private func take(_ key: Int, _ asker: Asker) {
        let name = name(of: key)
        // Unsafe in name only: a byte has no padding.
        if mistake == .shortenedTTLMissed, let place = asker.machine.table.find(unsafe name.span.bytes),
            asker.machine.table[place].state.contains(.known)
        {
            return
        }
        note("hint", key)
        // What found no room is asked about at each hint.
        if schedule.bytes != nil, asker.machine.table.find(unsafe name.span.bytes) == nil { allowQuestion(key) }
        let isAwaited = asker.machine.hint(unsafe name.span.bytes, now: clock)
        // One too many: the sweep that makes up for it begins within a second.
        if asker.machine.hasMissedHints {
            excuse(key, until: now + .milliseconds(1_100))
            missed(key, asker)
        }
        if isAwaited { ring(asker.askBell) }
    }
}
