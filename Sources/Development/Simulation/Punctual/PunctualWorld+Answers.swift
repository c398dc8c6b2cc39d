import Lapse
import RESP
import Timing

/// What a server answers about a key, and what it announces.
extension PunctualWorld {
    private static let refusal = "NOPERM User punctual has no permissions to run the 'pexpiretime' command"

    /// - Parameter key: nil for what is no key of the run.
    func answer(
        about key: Int?, _ batch: PunctualMachine.Batch, isAsking: Bool, _ server: KeyServer
    ) -> RESPValue {
        guard let key else { return .integer(-2) }
        count(key)
        if batch.isAbsolute, schedule.deadlines == .refused { return .error(RESPError(Self.refusal)) }
        let slot = slot(of: key)
        let owner = servers[masters[owners[slot]]]
        let target = moving[slot].map { servers[masters[$0]] }
        // A key that was forged is nowhere.
        let isThere = key < schedule.keys
        if server === owner {
            // Neither has one that is overdue, for a slot on the way.
            if let target, !isThere || server.keys[key] == .absent || server.isOverdue(key, now) {
                return .error(RESPError("ASK \(slot) \(target.address)"))
            }
        } else if server !== target || !isAsking {
            guard schedule.demotedSaysGone, !server.isMaster, server.shard == owners[slot] else {
                return .error(RESPError("MOVED \(slot) \(owner.address)"))
            }
            return isThere ? answer(owner.keys[key], batch, server) : .integer(-2)
        }
        guard isThere else { return .integer(-2) }
        if server.isOverdue(key, now), !server.isPaused(now) { expire(key, server) }
        let answer = answer(server.keys[key], batch, server)
        if batch.kind == .nudge, case .integer(0...) = answer { nudgedEarly(key) }
        return answer
    }

    /// Without announcing anything: a replica, and a server whose writes are paused, say that an overdue
    /// key is gone.
    private func answer(
        _ stored: KeyServer.Stored, _ batch: PunctualMachine.Batch, _ server: KeyServer
    ) -> RESPValue {
        switch stored {
        case .absent: return .integer(-2)
        case .persistent: return .integer(-1)
        case .until(let deadline):
            let left = deadline - server.time(now)
            guard left >= 0 else { return .integer(-2) }
            return .integer(batch.isAbsolute ? deadline : left)
        }
    }

    /// The server deletes an overdue key, and says so to its subscribers.
    func expire(_ key: Int, _ server: KeyServer) {
        server.before[key] = .absent
        server.keys[key] = .absent
        announced += 1
        note("expired", key)
        settle(key)
        let delay = schedule.isFeedLate ? random.milliseconds(0...1_500) : random.microseconds(100...1_000)
        server.lastHeard = max(server.lastHeard, now + delay)
        after(server.lastHeard - now) { [unowned self] in heard(key, server) }
    }

    /// The feed has brought it.
    private func heard(_ key: Int, _ server: KeyServer) {
        guard let asker = leader?.asker(at: server.index) else { return }
        let name = name(of: key)
        // Unsafe in name only: a byte has no padding.
        _ = asker.machine.heard(unsafe name.span.bytes, now: clock)
        if asker.machine.takeAwaited() { ring(asker.askBell) }
    }

    /// Some servers find an overdue key now and then.
    func expireSome() {
        after(random.milliseconds(20...200)) { [unowned self] in expireSome() }
        let key = random.pick(schedule.keys)
        let server = home(of: key).server
        if server.takesWrites(now), server.isOverdue(key, now) { expire(key, server) }
    }
}
