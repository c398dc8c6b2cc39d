import Lapse
import Timing

/// Slots that change hands, and masters that do.
extension PunctualWorld {
    /// Whether nothing else befalls the master of a shard, or one of its slots, that would make it unknown
    /// where a key is.
    private func isSettled(_ shard: Int) -> Bool {
        guard !isChanging[shard], servers[masters[shard]].isReachable(now) else { return false }
        return !(0..<Self.slots).contains { slot in
            moving[slot].map { $0 == shard || owners[slot] == shard } ?? false
        }
    }

    /// Owners have changed: what was due is asked about here and there.
    func hasChangedOwners() {
        unsettledUntil = now + .seconds(3)
        for key in watched.indices { allowEarly(key, 4) }
    }

    // MARK: - Slots

    func move(_ slot: Int, further: Int, for time: Duration?) {
        let target = (owners[slot] + further) % masters.count
        guard moving[slot] == nil, isSettled(owners[slot]), isSettled(target) else { return }
        guard let time else { return moveAtOnce(slot, target) }
        moving[slot] = target
        hasChangedOwners()
        for key in watched.indices where self.slot(of: key) == slot {
            after(time * Double(random.pick(900)) / 1_000) { [unowned self] in migrate(key) }
        }
        after(time) { [unowned self] in finishMoving(slot) }
    }

    /// MIGRATE: the next owner sets the key with what is left of its life, and says so.
    private func migrate(_ key: Int) {
        let slot = slot(of: key)
        guard let shard = moving[slot] else { return }
        let (source, target) = (servers[masters[owners[slot]]], servers[masters[shard]])
        guard source.keys[key] != .absent else { return }
        guard source.takesWrites(now), target.takesWrites(now) else {
            return after(.milliseconds(50)) { [unowned self] in migrate(key) }
        }
        guard !source.isOverdue(key, now) else { return expire(key, source) }
        let value = source.keys[key]
        source.keys[key] = .absent
        guard case .until(let deadline) = value else { return store(value, key, target) }
        store(.until(target.time(now) + deadline - source.time(now)), key, target, isHinted: true)
    }

    private func finishMoving(_ slot: Int) {
        guard let shard = moving[slot] else { return }
        let source = servers[masters[owners[slot]]]
        let left = watched.indices.filter { self.slot(of: $0) == slot && source.keys[$0] != .absent }
        guard left.isEmpty else {
            if source.takesWrites(now), servers[masters[shard]].takesWrites(now) {
                for key in left { migrate(key) }
            }
            return after(.milliseconds(60)) { [unowned self] in finishMoving(slot) }
        }
        moving[slot] = nil
        owners[slot] = shard
        // Questions about them may still be on the way to the former owner.
        for key in watched.indices where self.slot(of: key) == slot { watched[key].heldBy = source.index }
        hasChangedOwners()
    }

    /// The next owner has the keys and their deadlines from one moment to the next, and gives no hints.
    private func moveAtOnce(_ slot: Int, _ target: Int) {
        let (source, next) = (servers[masters[owners[slot]]], servers[masters[target]])
        guard source.takesWrites(now), next.takesWrites(now), let asker = leader?.asker(at: source.index),
            leader?.asker(at: next.index) != nil
        else { return }
        // What no hint told of before, no redirection brings to the next owner: a sweep does.
        let isKnown =
            asker.pace.purpose == .steady && !asker.isDeaf && !asker.machine.hasMissedHints && now > asker.excusedUntil
        for key in watched.indices where self.slot(of: key) == slot {
            if source.isOverdue(key, now) { expire(key, source) }
            (next.keys[key], next.before[key]) = (source.keys[key], source.before[key])
            (source.keys[key], source.before[key]) = (.absent, .absent)
            guard next.keys[key] != .absent else { continue }
            watched[key].heldBy = source.index
            if !isKnown { watched[key].isUnheard = true }
        }
        owners[slot] = target
        hasChangedOwners()
    }

    // MARK: - Masters

    func failover(_ shard: Int, pause time: Duration, viewLag: Duration) {
        let server = servers[masters[shard]]
        guard isSettled(shard), mayPause(server), standby(shard).isReachable(now) else { return }
        isChanging[shard] = true
        pause(server, for: time)
        after(time) { [unowned self] in promote(shard, viewLag, isLossy: false) }
    }

    func crash(_ shard: Int, promotedAfter time: Duration, viewLag: Duration) {
        guard isSettled(shard), standby(shard).isReachable(now) else { return }
        isChanging[shard] = true
        let server = servers[masters[shard]]
        server.isDown = true
        for line in server.lines { cut(line) }
        cutHints(server, noticedAfter: .zero)
        after(time) { [unowned self] in promote(shard, viewLag, isLossy: true) }
        after(time + random.milliseconds(500...3_000)) { server.isDown = false }
    }

    private func standby(_ shard: Int) -> KeyServer {
        servers[masters[shard] < masters.count ? shard + masters.count : shard]
    }

    private func promote(_ shard: Int, _ viewLag: Duration, isLossy: Bool) {
        let former = servers[masters[shard]]
        let next = standby(shard)
        for key in watched.indices where owners[slot(of: key)] == shard {
            let isLost = isLossy && random.chance(15)
            next.keys[key] = isLost ? former.before[key] : former.keys[key]
            next.before[key] = next.keys[key]
            if isLost { settle(key) }
        }
        former.keys = [KeyServer.Stored](repeating: .absent, count: schedule.keys)
        former.before = former.keys
        (former.isMaster, next.isMaster) = (false, true)
        masters[shard] = next.index
        viewLags[shard] = (now + viewLag, former.index)
        isChanging[shard] = false
        note("promoted", next.index)
        hasChangedOwners()
    }
}
