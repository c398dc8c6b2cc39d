import Timing

/// What the schedule does to the world.
extension PunctualWorld {
    func happen(_ fault: PunctualFault) {
        switch fault {
        case .hintsLate(let time): lateUntil = max(lateUntil, now + time)
        case .hintsCut(let shard, let lag): cutHints(master(shard), noticedAfter: lag)
        case .forged(let shard, let count): forge(count, master(shard))
        case .storm(let key, let time): storm(key, until: min(now + time, schedule.faultsEnd))
        case .burst(let time): burst(in: time)
        case .clock(let shard, let step):
            master(shard).offset += step
            for key in watched.indices { allowEarly(key, 3) }
        case .pause(let shard, let time):
            if mayPause(master(shard)), !isChanging[shard] { pause(master(shard), for: time) }
        case .stall(let shard, let time): stall(master(shard), for: time)
        case .cut(let shard):
            let server = master(shard)
            for line in server.lines { cut(line) }
            if let asker = leader?.asker(at: server.index) { excuse(asker) }
        case .slow(let time):
            slowUntil = max(slowUntil, now + time)
            excusedUntil = max(excusedUntil, slowUntil + .milliseconds(2_500))
        case .move(let slot, let further, let time): move(slot, further: further, for: time)
        case .failover(let shard, let time, let viewLag): failover(shard, pause: time, viewLag: viewLag)
        case .crash(let shard, let time, let viewLag): crash(shard, promotedAfter: time, viewLag: viewLag)
        case .leader(let time):
            guard leader != nil else { return }
            stopLeader()
            after(time) { [unowned self] in startLeader() }
        }
    }

    private func master(_ shard: Int) -> KeyServer { servers[masters[shard]] }

    private func forge(_ count: Int, _ server: KeyServer) {
        for _ in 0..<count {
            let isThere = random.chance(30)
            let key = isThere ? random.pick(schedule.keys) : 1_000 + random.pick(60)
            for line in server.hintLines { send(key, line) }
        }
    }

    // MARK: - Servers

    /// Not soon after another pause: what was said to be gone in both is forgotten, if a write was taken
    /// after each.
    func mayPause(_ server: KeyServer) -> Bool { server.pausedUntil == .zero || server.pausedUntil + .seconds(4) < now }

    func pause(_ server: KeyServer, for time: Duration) {
        server.pausedUntil = now + time
        holdUp(server, until: server.pausedUntil)
    }

    private func stall(_ server: KeyServer, for time: Duration) {
        guard server.isReachable(now) else { return }
        server.stalledUntil = now + time
        holdUp(server, until: server.stalledUntil)
    }

    private func holdUp(_ server: KeyServer, until end: Duration) {
        // A full write that was held up is followed by as long a rest.
        let rest: Duration = schedule.isSplit ? .milliseconds(3_200) : .seconds(1)
        server.excusedUntil = max(server.excusedUntil, end + rest)
        after(end - now) { [unowned self] in drain(server) }
    }
}
