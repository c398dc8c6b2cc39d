import LeaderElection
import LeaderElectionRedis

/// What the schedule does to the world, and how it ends.
extension SimulatedWorld {
    func start(_ replica: Replica) {
        guard replica.isAlive else { return }
        replica.bornAt = now
        lookEachSecond(replica)
        // The leader's word on the numbering comes first, as in the product.
        readProgress(replica) { [unowned self] _ in
            for process in ledger.processes.values where process.resetAt != nil {
                // No peer in reach knew of the reset.
                if replica.known[process.runID] == nil { process.isExact = false }
            }
            signRules(replica)
            step(.start, replica)
            openFeeds(replica)
            tidy(replica)
            catchUp(replica)
            if judges(.fullStore) { repeatProgress(replica) }
            after(.seconds(1), in: replica) { [unowned self] in follow(replica) }
        }
    }

    func happen(_ fault: Fault) {
        // A replica that misses something before the leader has found out about a reset cannot know the
        // numbers any more.
        for process in ledger.processes.values where allowances.contains(.unseenReset) && !judgesKeys {
            if let resetAt = process.resetAt, now - resetAt < .seconds(4) { process.isExact = false }
        }
        switch fault {
        case .kill(let place, let away): kill(resolve(place), away: away)
        case .pause(let place, let time): pause(resolve(place), for: time)
        case .restart(let place, let away): restart(resolve(place), away: away)
        case .resign(let place):
            let place = resolve(place)
            perform(in: replicas[place]) { [unowned self] in step(.resign, replicas[place]) }
        case .wakeUp(let place): perform(in: replicas[place]) { [unowned self] in step(.wakeUp, replicas[place]) }
        case .wallClock(let place, let by, let back):
            let replica = replicas[place]
            replica.clock.wallOffset += by
            if let back { after(back) { replica.clock.wallOffset -= by } }
        case .weather(let badness, let time):
            network.badness = badness
            network.badUntil = now + time
        case .partition(let place, let registers, let time):
            let place = resolve(place)
            network.partitions.append((place, registers, now + time))
            replicas[place].lastTrouble = now + time
        case .registerRestart(let register):
            guard mayForget() else { return }
            registers[register].restartEmpty(at: now)
        case .registerDown(let register, let time):
            registers[register].isDown = true
            network.lastTrouble = now + time
            after(time) { [unowned self] in registers[register].isDown = false }
        case .registerClock(let register, let by):
            registers[register].clockOffset += by
        case .feedCut(let place, let node):
            let place = resolve(place)
            for connection in nodes[node].connections where connection.replica.place == place {
                connection.replica.lastTrouble = now
                cut(connection, noticedAfter: random.microseconds(100...5_000))
            }
        case .feedDeaf(let place, let node):
            for connection in nodes[node].connections where connection.replica.place == place {
                connection.replica.lastTrouble = now
                connection.isDeaf = true
            }
        case .allFeedsCut(let node, let time):
            lastNodeTrouble = now + time
            nodes[node].refusesUntil = now + time
            breakConnections(of: nodes[node], noticedAfter: random.microseconds(100...5_000))
        case .nodeRestart(let node, let away): restart(nodes[node], away: away)
        case .nodeFrozen(let node, let time): freeze(nodes[node], for: time)
        case .counterReset(let node): resetCounter(nodes[node])
        case .burst(let node, let count):
            for _ in 0..<count {
                plan(random.pick(60), on: nodes[node].shard, due: now + random.milliseconds(0...50))
            }
        case .handlers(let failing, let slower, let time):
            handlers = HandlerMood(failing: failing, slower: slower, until: now + time)
        default: happen(inSituation: fault)
        }
    }

    /// Drains, hands over, ends and comes back.
    func restart(_ place: Int, away: Duration) {
        let replica = replicas[place]
        replica.isStopping = true
        replica.away = away
        perform(in: replica) { [unowned self] in step(.stop, replica) }
    }

    func resetCounter(_ node: SimulatedNode) {
        guard node.answers(now) else { return }
        node.process.counter = 0
        node.process.resetAt = now
        node.process.disturbedAt = now
        node.process.wasResetUnheard = node.connections.isEmpty
        let isHeardByAll = replicas.allSatisfy { replica in
            let feed = replica.feeds.first { $0.node == node.index }
            return replica.isAlive && !replica.isPaused(now) && feed?.isNumbered ?? false
                && feed?.connection?.isDeaf == false && feed?.isSilent == false
        }
        let isCalm = network.badUntil <= now && replicas.allSatisfy { now - $0.lastTrouble > .seconds(4) }
        if !isHeardByAll || !isCalm { node.process.isExact = false }
    }

    /// The stated assumption: no majority of the registers loses its data within one lease. One at a time,
    /// then.
    func mayForget() -> Bool {
        guard registers.count > 1, now - lastRegisterFault > conditions.lease * 1.5 else { return false }
        lastRegisterFault = now
        return true
    }

    /// A `kill -9`, and a new process a little later. Its requests in flight arrive all the same.
    func kill(_ place: Int, away: Duration) {
        guard replicas[place].isAlive else { return }
        trace.note("killed", replicas[place].life)
        checkCustody(replicas[place], isGraceful: false)
        ledger.lastDeath = now
        gone(replicas[place], away: away)
    }

    /// A graceful end.
    func exited(_ replica: Replica) {
        trace.note("exited", replica.life)
        checkCustody(replica, isGraceful: true)
        gone(replica, away: replica.away)
    }

    private func gone(_ replica: Replica, away: Duration) {
        endsUntold(replica)
        replica.isAlive = false
        if let body = replica.body, ledger.termEnds[body.order] == nil { ledger.termEnds[body.order] = now }
        for feed in replica.feeds {
            guard let connection = feed.connection else { continue }
            connection.isOpen = false
            nodes[feed.node].connections.removeAll { $0 === connection }
        }
        for node in nodes { node.connections.removeAll { $0.replica === replica } }
        replica.letGo()
        after(isHealed ? min(away, .milliseconds(100)) : away) { [unowned self] in revive(replica) }
    }

    private func revive(_ old: Replica) {
        guard replicas[old.place] === old, !old.isAlive else { return }
        do {
            let replica = try makeReplica(old.place, old.clock)
            replicas[old.place] = replica
            start(replica)
        } catch { ledger.violate(.i7, "\(error)") }
    }

    /// A `kill -STOP`, with its `kill -CONT`.
    private func pause(_ place: Int, for time: Duration) {
        guard !replicas[place].isPaused(now) else { return }
        let until = min(now + time, schedule.faultsEnd)
        let replica = replicas[place]
        replica.pausedUntil = until
        replica.lastTrouble = until
        after(until - now) { [unowned self] in resume(replica) }
    }

    /// What came meanwhile comes first, in its order, before anything that comes just now.
    private func resume(_ replica: Replica) {
        replica.pausedUntil = nil
        let deferred = replica.deferred
        replica.deferred = []
        for action in deferred { perform(in: replica, action) }
    }

    /// From here on nothing goes wrong any more.
    func heal() {
        trace.note("healed", 0)
        network.badUntil = now
        network.partitions = []
        network.refusalsLateUntil = now
        handlers.until = now
        for replica in replicas {
            if !replica.isAlive { revive(replica) }
        }
        for index in registers.indices {
            registers[index].isDown = false
            registers[index].refusesWrites = false
        }
        isHealed = true
        // I6: the lease of the last leader, or of a young register, and two retries; a second for starting and
        // asking. Messages that were sent before may be applied five seconds late.
        var patience = conditions.lease + timing.retryLimit * 2 + .seconds(1) + .seconds(5)
        // Other rules wait for the signatures of those that died.
        if judges(.otherLease) { patience += GroupRules.Life(lease: .seconds(4)).signature - .seconds(5) }
        after(patience) { [unowned self] in
            if !ledAfterHealing { ledger.violate(.i6, "no leader \(patience) after the faults had ended") }
        }
        checkDoneSoon()
    }

    private func checkDoneSoon() {
        after(.milliseconds(200)) { [unowned self] in
            checkDone()
            checkDoneSoon()
        }
    }
}
