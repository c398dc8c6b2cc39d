import Lapse
import RESP
import Timing

/// One key, and what was seen of it.
struct WatchedKey {
    /// Since when it is overdue.
    var overdueSince: Duration?
    var excusedUntil: Duration = .zero
    /// The server whose deadline for it is the one that is kept, after its slot has moved without a hint.
    var heldBy: Int?
    /// A hint about it was lost, and the leader does not know yet at which server a sweep would find it.
    var isUnheard = false
    /// By how much the deadline that is kept may be wrong.
    var inexactness: Duration = .zero
    /// Questions about it that are not counted.
    var uncounted = 0
    /// Nudges before it was due, and how many may be.
    var early = 0
    var mayBeEarly = 6
}

/// The promises, see ``PunctualViolation``.
extension PunctualWorld {
    /// A second, and what messages take.
    private static let bound = Duration.milliseconds(1_300)
    /// How long it takes until a new connection has brought what it is to bring.
    static let grace = Duration.milliseconds(400)

    // MARK: - Late

    func checkOverdue() {
        after(.milliseconds(50)) { [unowned self] in checkOverdue() }
        for key in watched.indices {
            let (server, isMoving) = home(of: key)
            guard server.isOverdue(key, now) else {
                watched[key].overdueSince = nil
                continue
            }
            let since = watched[key].overdueSince ?? now
            watched[key].overdueSince = since
            if isMoving || watched[key].isUnheard || isExcused(key, server) || isHeldBack(key) {
                watched[key].excusedUntil = now
            }
            let asker = leader?.asker(at: server.index)
            let excuses = [
                watched[key].excusedUntil, server.excusedUntil, excusedUntil, asker?.excusedUntil ?? .zero,
            ]
            let late = now - excuses.reduce(since, max) - watched[key].inexactness
            if late > Self.bound { violate(.late, "timer:\(key) at \(server.index) for \(late)") }
        }
    }

    /// Whether nothing can be done about it now that is promised.
    private func isExcused(_ key: Int, _ server: KeyServer) -> Bool {
        guard server.takesWrites(now), now >= slowUntil, let asker = leader?.asker(at: server.index),
            now - asker.begunAt > Self.grace, !asker.isDeaf
        else { return true }
        // Where hints were missed, a sweep that rests after a slow page.
        if asker.pace.purpose != .steady, sweepRests(asker) > .milliseconds(200) { return true }
        guard schedule.bytes != nil else { return false }
        let name = name(of: key)
        // Unsafe in name only: a byte has no padding.
        return asker.machine.table.find(unsafe name.span.bytes) == nil
    }

    /// It lies with another server's deadlines, and by that one's clock it is not due, or that one cannot
    /// be asked.
    private func isHeldBack(_ key: Int) -> Bool {
        guard let holder = watched[key].heldBy.map({ servers[$0] }) else { return false }
        guard holder.takesWrites(now), now > holder.excusedUntil, let asker = leader?.asker(at: holder.index),
            now > asker.excusedUntil, case .until(let deadline) = home(of: key).server.keys[key]
        else { return true }
        return holder.time(now) <= deadline
    }

    func excuse(_ key: Int, until time: Duration) {
        if key < watched.count { watched[key].excusedUntil = max(watched[key].excusedUntil, time) }
    }

    func excuse(_ asker: Asker) { asker.excusedUntil = max(asker.excusedUntil, now + Self.grace) }

    func allowLate(_ key: Int?, _ inexactness: Duration) {
        if let key, key < watched.count { watched[key].inexactness = inexactness }
    }

    /// It is not what it was.
    func settle(_ key: Int) { watched[key].overdueSince = nil }

    // MARK: - Early, often

    /// Something happened for which a nudge may come before its time.
    func allowEarly(_ key: Int?, _ count: Int) {
        if let key, key < watched.count { watched[key].mayBeEarly += count }
    }

    func nudgedEarly(_ key: Int) {
        // Until a clock that is inexact is told the time anew, a renewal may look like no change.
        if let leader, leader.present.contains(where: { now < $0.wideUntil }) { return }
        watched[key].early += 1
        guard watched[key].early > watched[key].mayBeEarly else { return }
        violate(.early, "timer:\(key) was nudged \(watched[key].early) times before it was due")
    }

    /// The next question about it counts as none.
    func allowQuestion(_ key: Int) {
        if key < watched.count { watched[key].uncounted += 1 }
    }

    /// A server was asked about a key.
    func count(_ key: Int) {
        if key < watched.count, watched[key].uncounted > 0 {
            watched[key].uncounted -= 1
            return
        }
        var times = asked[key] ?? []
        times.removeAll { $0 < now - .seconds(1) }
        times.append(now)
        asked[key] = times
        let isUnsettled = unsettledUntil > now || moving.contains { $0 != nil }
        let limit = isUnsettled ? 80 : 24
        if times.count > limit { violate(.often, "timer:\(key) was asked about \(times.count) times in a second") }
    }

    // MARK: - In the end

    func checkTables() {
        for asker in leader?.present ?? [] {
            let table = asker.machine.table
            if table.bytes > table.limit { violate(.room, "\(table.bytes) of \(table.limit) bytes") }
            for place in table.places {
                let entry = table[place]
                let isAhead = entry.deadline > asker.server.time(now)
                if entry.state.subtracting([.importing, .owed]) == .known, isAhead { continue }
                let name = table.withKey(place) { [UInt8](copying: $0) }
                violate(
                    .kept, "\(String(decoding: name, as: UTF8.self)) at \(asker.server.index): \(entry.state.rawValue)")
            }
        }
    }
}
