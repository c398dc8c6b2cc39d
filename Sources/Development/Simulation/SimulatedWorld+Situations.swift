import Lapse
import LeaderElection
import RESP
import Timing

/// The faults that only situations have.
extension SimulatedWorld {
    func happen(inSituation fault: Fault) {
        switch fault {
        case .outage(let isGraceful, let time):
            for replica in replicas {
                if isGraceful { restart(replica.place, away: time) } else { kill(replica.place, away: time) }
            }
        case .rollingRestart(let gap): restartInTurn(0, gap)
        case .feedRefused(let place, let node, let time):
            let place = resolve(place)
            network.refusedFeeds.append((place, node, now + time))
            endFeed(of: place, nodes[node])
        case .slowFeed(let node, let gap, let time):
            nodes[node].gap = gap
            nodes[node].slowUntil = now + time
        case .failover(let shard): failOver(shard)
        case .nodeDies(let node): _ = die(nodes[node])
        case .sentinelsAway(let promote, let time):
            network.sentinelsAwayUntil = now + time
            network.sentinelsPromote = promote
            after(time) { [unowned self] in network.sentinelsPromote = true }
        case .countedOnly(let node, let count): countOnly(nodes[node], count)
        case .forge(let node, let count): forge(nodes[node], count)
        case .publish(let word): publish(word)
        case .foreign(let node, let time): becomeForeign(nodes[node], for: time)
        case .storm(let node, let count): planStorm(nodes[node], count)
        case .moveSlots(let time): moveSlots(until: now + time)
        case .stuckSlots(let time): stuckUntil = max(stuckUntil, now + time)
        case .refuseWrites(let refusing, let time):
            for index in registers.indices where refusing & (1 << index) != 0 { registers[index].refusesWrites = true }
            after(time) { [unowned self] in
                for index in registers.indices { registers[index].refusesWrites = false }
                network.takesWritesSince = now
            }
        case .refuseFirstTries(let time): network.firstTriesRefusedUntil = now + time
        case .lateRefusals(let time): network.refusalsLateUntil = now + time
        case .swallowMarks(let place, let node, let time):
            let place = resolve(place)
            network.relays.append((place, node, now + time))
            endFeed(of: place, nodes[node])
        case .lockUnheard(let register): lapseUnheard(register)
        case .damage(let register, let text): registers[register].damage(text)
        case .registerFailover(let register, let keepsVote):
            if mayForget() { registers[register].failOver(keepsVote: keepsVote) }
        default: break
        }
    }

    /// A place, or that of the replica that leads, or else the first one; or that of another one.
    func resolve(_ place: Int) -> Int {
        if place == Fault.follower {
            let leader = resolve(Fault.leader)
            return replicas.first { $0.place != leader }?.place ?? leader
        }
        return place == Fault.leader
            ? replicas.first { $0.mayCallHandlers(at: now) }?.place ?? 0 : place % replicas.count
    }

    private func endFeed(of place: Int, _ node: SimulatedNode) {
        for connection in node.connections where connection.replica.place == place {
            node.connections.removeAll { $0 === connection }
            cut(connection, noticedAfter: random.microseconds(100...5_000))
        }
    }

    func isRefused(_ replica: Replica, _ node: Int) -> Bool {
        network.refusedFeeds.contains { $0.place == replica.place && $0.node == node && $0.until > now }
    }

    /// The next one ends when this one is back and has been for a while.
    private func restartInTurn(_ place: Int, _ gap: Duration) {
        guard place < replicas.count else { return }
        let life = replicas[place].life
        restart(place, away: .milliseconds(100))
        func awaitReturn() {
            after(.milliseconds(50)) { [unowned self] in
                let replica = replicas[place]
                guard replica.life != life, replica.isAlive, !replica.feeds.isEmpty else { return awaitReturn() }
                after(gap) { [unowned self] in restartInTurn(place + 1, gap) }
            }
        }
        awaitReturn()
    }

    // MARK: - Servers

    private func failOver(_ shard: Int) {
        let old = nodes[shards[shard].master]
        // The last change of master is known before another begins.
        guard shards[shard].named == shards[shard].master,
            let other = shards[shard].servers.map({ nodes[$0] }).first(where: { $0 !== old }), old.answers(now),
            other.answers(now)
        else { return }
        trace.note("failover", other.index)
        lastNodeTrouble = now
        shards[shard].master = other.index
        shards[shard].epoch += 1
        other.believesMaster = true
        old.believesMaster = false
        name(shard)
        after(random.milliseconds(20...150)) { [unowned self] in
            if other.answers(now), shards[shard].master == other.index { announceOverdue(shard, other) }
        }
    }

    /// The view names the master that there is, at once or some time later.
    func name(_ shard: Int) {
        guard let lag = conditions.viewLag else { return nameNow(shard) }
        after(random.milliseconds(lag)) { [unowned self] in nameNow(shard) }
    }

    private func nameNow(_ shard: Int) {
        shards[shard].named = shards[shard].master
        shards[shard].namedEpoch = shards[shard].epoch
    }

    private func countOnly(_ node: SimulatedNode, _ count: Int) {
        guard node.answers(now) else { return }
        node.process.isExact = false
        for _ in 0..<count {
            node.process.counter += 1
            node.process.announced.append(
                Announcement(key: [], isWanted: false, isRepeat: false, isCountedOnly: true, at: now))
        }
        trace.note("counted only", node.index, UInt64(count))
    }

    /// A server of another deployment takes the address, announces, and goes again.
    private func becomeForeign(_ node: SimulatedNode, for time: Duration) {
        guard node !== switchboard, die(node) else { return }
        after(.milliseconds(100)) { [unowned self] in
            node.isUp = true
            node.process = NodeProcess(runID: "foreign-\(node.index)-\(node.lives)", isForeign: true)
            ledger.processes[node.process.runID] = node.process
            node.believesMaster = true
            announceForeign(node, until: now + time)
        }
    }

    private func announceForeign(_ node: SimulatedNode, until end: Duration) {
        guard now < end else { return restart(node, away: .milliseconds(100)) }
        timersPlanned += 1
        announce(Timer(key: Array("k:{foreign-\(timersPlanned)}".utf8), hasCompanion: false), node)
        after(random.milliseconds(30...200)) { [unowned self] in announceForeign(node, until: end) }
    }

    private func planStorm(_ node: SimulatedNode, _ count: Int) {
        var key = Self.stormPrefix
        while shard(of: key) != node.shard { key.append(UInt8(ascii: "x")) }
        for _ in 0..<count {
            timersPlanned += 1
            let id = timersPlanned
            shards[node.shard].timers[id] = (Timer(key: key, hasCompanion: false), now)
            after(random.milliseconds(0...1_500)) { [unowned self] in expire(id, node.shard) }
        }
    }

    static let stormPrefix = Array("k:storm".utf8)

    private func moveSlots(until end: Duration) {
        guard schedule.deployment == .cluster, now < end, slotsMoved < SimulatedTopology.steps else { return }
        slotsMoved += 1
        after(conditions.lookEvery) { [unowned self] in moveSlots(until: end) }
    }

    /// The shard whose master announces a key that the timers of a shard hold: its slot may have moved.
    func owner(of key: [UInt8], _ shard: Int) -> Int {
        guard slotsMoved > 0, shard == 0 else { return shard }
        return SimulatedTopology.hasMoved(Int(SimulatedTopology.slot(of: key)), by: slotsMoved) ? 1 : 0
    }

    // MARK: - Messages of others

    /// A client publishes on the event channel: the subscribers of every server hear it, and no server
    /// counts it.
    private func forge(_ node: SimulatedNode, _ count: Int) {
        guard node.answers(now) else { return }
        for other in nodes where other.answers(now) {
            other.process.isExact = false
            other.process.disturbedAt = now
        }
        for _ in 0..<count {
            timersPlanned += 1
            let key = Array("k:{forged-\(timersPlanned)}".utf8)
            for other in nodes where other.answers(now) {
                for connection in other.connections { send(.forged(key), connection) }
            }
        }
    }

    private static let words = [
        "released", "repair:x:y:1-18446744073709551615:z", "repair:x:run-0-1:1-18446744073709551615:z",
        "repair:x:run-0-1:0-3:z", "repair:x:run-0-1:1-1:", "repair::::",
        "repair:x:run-0-1:18446744073709551615-18446744073709551615:z",
        "mark:x:y", "", "progress:", "repair:y:run-0-1:5-4:z", "\u{0}",
    ]

    private func publish(_ word: Int) {
        let text = Self.words[word % Self.words.count]
        for node in nodes where node.answers(now) {
            for connection in node.connections { send(.words(text), connection) }
        }
    }

    func hearWords(_ text: String, _ feed: Feed, _ replica: Replica) {
        hear("lapse:sim", Array(text.utf8), feed, replica)
        if text == "released" { step(.wakeUp, replica) }
        if let request = RepairRequest(text) { answerPeer(request, replica) }
        if text.hasPrefix("check") { hearNumbers(text, replica) }
        if text == "wanted:v1:" {
            replica.relay.wanted()
            repeatDueProgress(replica)
        }
        guard defect != .tellingUnheard else { return }
        if let message = SharedProgress(text), message.leader != replica.id, believes(message, replica) {
            learn(message.entries, replica)
            replica.relay.heard(message, now: replica.clock.read(now).monotonic)
        }
    }
}
