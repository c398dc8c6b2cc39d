import Lapse
import RESP
import Timing

/// Sweeps: pages of keys, as fast as the product's pace allows.
extension PunctualWorld {
    func sweep(_ asker: Asker) {
        guard !asker.isOver else { return }
        if asker.machine.hasMissedHints {
            asker.machine.hasMissedHints = false
            asker.pace.want()
        }
        if asker.machine.hasFoundNoRoom {
            asker.machine.hasFoundNoRoom = false
            asker.pace.wantRoom()
        }
        switch asker.pace.next(now: clock) {
        case .wait(let until):
            let end = min(time(until), now + .seconds(1))
            wait(asker.sweepBell, until: end) { [unowned self] in sweep(asker) }
        case .scan(let cursor): scan(cursor, asker)
        }
    }

    private func scan(_ cursor: String, _ asker: Asker) {
        if mistake == .notCaughtUp, asker.pace.renewsSince != nil {
            asker.pace.page(next: "0", took: 1_000_000, work: 1_000_000, now: clock)
            return after(.milliseconds(1)) { [unowned self] in sweep(asker) }
        }
        let begun = clock
        // Fewer than a server would have: a pass is to have several pages.
        let size = max(1, asker.pace.pageKeys / 40)
        note("scan", asker.server.index, cursor)
        // A write goes before it: SCAN waits while writes are paused.
        send(asker, isWrite: mistake != .pauseOverlooked) { [unowned self] _ in
            page(from: Int(cursor) ?? 0, size, asker.server)
        } then: { [unowned self] answer in
            if case .page(let next, let keys)? = answer {
                for key in keys { met(key, asker) }
                if asker.machine.takeAwaited() { ring(asker.askBell) }
                let took = clock - begun
                asker.pace.page(next: next, took: took, work: asker.machine.work(in: took), now: clock)
            } else {
                asker.pace.failed(now: clock)
            }
            sweep(asker)
        }
    }

    private func met(_ key: Int, _ asker: Asker) {
        let name = name(of: key)
        // Unsafe in name only: a byte has no padding.
        let isKept = asker.machine.table.find(unsafe name.span.bytes) != nil
        // Each pass asks about what has no place in the table: keys without a TTL, and beyond its bound.
        if !isKept { allowQuestion(key) }
        if asker.machine.met(unsafe name.span.bytes, renewsSince: asker.pace.renewsSince, now: clock) {
            ring(asker.askBell)
        }
    }

    /// SCAN expires what it finds overdue, and names the others.
    private func page(from start: Int, _ size: Int, _ server: KeyServer) -> KeyLine.Answer {
        // A replica has what its master has.
        let source = server.isMaster ? server : servers[masters[server.shard]]
        var keys: [Int] = []
        var key = start
        while key < schedule.keys, keys.count < size {
            if server.isOverdue(key, now), server.isMaster {
                if !server.isPaused(now) { expire(key, server) }
            } else if source.keys[key] != .absent {
                keys.append(key)
            }
            key += 1
        }
        return .page(next: key < schedule.keys ? "\(key)" : "0", keys: keys)
    }

    /// How long the sweep rests from now on, if one is wanted.
    func sweepRests(_ asker: Asker) -> Duration {
        var pace = asker.pace
        pace.want()
        guard case .wait(let until) = pace.next(now: clock) else { return .zero }
        return max(.zero, time(until) - now)
    }
}
