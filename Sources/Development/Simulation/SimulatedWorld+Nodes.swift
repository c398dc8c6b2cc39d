import Lapse
import LeaderElection
import RESP
import RedisClient

/// The Redis servers: timers fall due, servers announce them, fail over, forget.
extension SimulatedWorld {
    func buildNodes() {
        switch schedule.deployment {
        case .single:
            shards = [Shard(servers: [0], master: 0, named: 0)]
        case .pair:
            shards = [Shard(servers: [0, 1], master: 0, named: 0)]
        case .cluster:
            shards = (0..<3).map { Shard(servers: [$0], master: $0, named: $0) }
        }
        for (index, shard) in shards.enumerated() {
            for server in shard.servers {
                let node = SimulatedNode(index: server, shard: index, isMaster: server == shard.master)
                nodes.append(node)
                ledger.processes[node.process.runID] = node.process
            }
        }
        nodes.sort { $0.index < $1.index }
    }

    func shard(of key: [UInt8]) -> Int {
        shards.count == 1 ? 0 : Int(SimulatedTopology.slot(of: key)) * shards.count / Topology.slotCount
    }

    // MARK: - Traffic

    func planTraffic() {
        for _ in 0..<schedule.traffic {
            let due = random.milliseconds(500...Int(schedule.faultsEnd / .milliseconds(1)) + 500)
            plan(random.pick(100), due: due)
        }
    }

    /// A timer of one kind or another: most are wanted, some keys come again and again, some are none of
    /// ours.
    func plan(_ kind: Int, on wanted: Int? = nil, due: Duration) {
        timersPlanned += 1
        var number = timersPlanned
        var timer: Timer
        repeat {
            switch kind {
            case 0..<45: timer = Timer(key: Array("k:{\(number)}".utf8), hasCompanion: false)
            case 45..<65 where conditions.hasPlainKeysOnly:
                timer = Timer(key: Array("k:{\(number)}".utf8), hasCompanion: false)
            case 45..<65: timer = Timer(key: Array("k:{hot-\(number % 12)}".utf8), hasCompanion: false)
            case 65..<85 where conditions.hasPlainKeysOnly || conditions.batchLimit != nil:
                timer = Timer(key: Array("k:{\(number)}".utf8), hasCompanion: false)
            case 65..<85: timer = Timer(key: Array("c:{\(number)}".utf8), hasCompanion: true)
            case 85..<95: timer = Timer(key: Array("other:{\(number)}".utf8), hasCompanion: false)
            default: timer = Timer(key: Array("{lapse-\(number)}:sim:lock".utf8), hasCompanion: false)
            }
            number += 10_001
        } while wanted.map { $0 != self.shard(of: timer.key) } ?? false
        let shard = self.shard(of: timer.key)
        let id = timersPlanned
        if timer.hasCompanion, let (companion, _) = companionRules.companion(of: timer.key) {
            shards[shard].companions.insert(companion)
        }
        shards[shard].timers[id] = (timer, due)
        // Redis finds a due key by sampling.
        let lag = random.chance(70) ? random.milliseconds(0...20) : random.milliseconds(20...600)
        after(max(.zero, due - now) + lag) { [unowned self] in expire(id, shard) }
    }

    func expire(_ id: Int, _ shard: Int) {
        guard let (timer, _) = shards[shard].timers[id] else { return }
        let master = nodes[shards[owner(of: timer.key, shard)].master]
        // Otherwise it stays due: until the server goes on, or another takes over, or it is forgotten.
        guard master.answers(now), !master.process.isForeign else { return }
        shards[shard].timers[id] = nil
        announce(timer, master)
    }

    /// Whether the timer of a companion is there; one that is overdue is expired by the question.
    func timerExists(_ key: [UInt8], _ shard: Int) -> Bool {
        guard let (id, found) = shards[shard].timers.first(where: { $0.value.timer.key == key }) else { return false }
        guard found.due <= now else { return true }
        expire(id, shard)
        return false
    }

    func announce(_ timer: Timer, _ node: SimulatedNode, isRepeat: Bool = false) {
        node.process.counter += 1
        node.process.announced.append(
            Announcement(
                key: timer.key, isWanted: filter.wants(timer.key, database: 0), isRepeat: isRepeat, at: now))
        let ordinal = UInt64(node.process.announced.count)
        trace.note("announced", node.index, ordinal)
        for connection in node.connections { send(.expired(ordinal), connection) }
    }

    /// Everything due is announced in one burst, in an order that does not depend on how a dictionary lies.
    func announceOverdue(_ shard: Int, _ node: SimulatedNode) {
        let due = shards[shard].timers.filter { $0.value.due <= now }.sorted { $0.key < $1.key }
        for (id, entry) in due {
            shards[shard].timers[id] = nil
            announce(entry.timer, node)
        }
    }

    // MARK: - Death, frost, promotion

    /// Its process ends; false if there is none to end.
    func die(_ node: SimulatedNode) -> Bool {
        guard node.isUp, !node.isFrozen(now) else { return false }
        lastNodeTrouble = now
        node.isUp = false
        // The lists of answers go with it.
        if node === switchboard { answers = [:] }
        node.lives += 1
        node.absences += 1
        node.deferred = []
        breakConnections(of: node, noticedAfter: random.microseconds(100...2_000))
        promoteSoon(node)
        return true
    }

    /// Restarts from a snapshot: what fell due meanwhile is forgotten without a word.
    func restart(_ node: SimulatedNode, away: Duration) {
        guard die(node) else { return }
        after(away) { [unowned self] in
            lastNodeTrouble = now
            node.isUp = true
            node.process = NodeProcess(runID: "run-\(node.index)-\(node.lives)")
            ledger.processes[node.process.runID] = node.process
            node.believesMaster = shards[node.shard].master == node.index
            guard node.believesMaster else { return }
            for (id, entry) in shards[node.shard].timers where entry.due <= now { shards[node.shard].timers[id] = nil }
        }
    }

    func freeze(_ node: SimulatedNode, for wanted: Duration) {
        let time = min(wanted, schedule.faultsEnd - now)
        guard node.isUp, !node.isFrozen(now) else { return }
        lastNodeTrouble = now
        node.frozenUntil = now + time
        node.absences += 1
        promoteSoon(node)
        let asMaster = shards[node.shard].master == node.index
        // What it will still believe to be due when it goes on.
        let known = shards[node.shard].timers
        after(time + .nanoseconds(1)) { [unowned self] in thaw(node, wasMaster: asMaster, known) }
    }

    private func thaw(_ node: SimulatedNode, wasMaster: Bool, _ known: [Int: (timer: Timer, due: Duration)]) {
        guard node.isUp else { return }
        lastNodeTrouble = now
        node.frozenUntil = nil
        node.thawedAt = now
        let deferred = node.deferred
        node.deferred = []
        if shards[node.shard].master == node.index {
            announceOverdue(node.shard, node)
        } else if wasMaster {
            // It was deposed and does not know it yet.
            for (_, entry) in known.sorted(by: { $0.key < $1.key }) where entry.due <= now {
                announce(entry.timer, node, isRepeat: true)
            }
            after(random.milliseconds(10...300)) { [unowned self] in
                node.believesMaster = shards[node.shard].master == node.index
            }
        }
        for action in deferred { action() }
    }

    /// Its replica takes over when the master has been away for longer than the node timeout, which is more
    /// than the two seconds within which an unanswered ping tells.
    private func promoteSoon(_ node: SimulatedNode) {
        guard shards[node.shard].master == node.index, shards[node.shard].servers.count > 1, network.sentinelsPromote
        else { return }
        let absence = node.absences
        let process = node.process
        let wasBriefThaw = allowances.contains(.briefThaw) && node.thawedAt.map { now - $0 < .seconds(3) } ?? false
        let absenceUntilVote = allowances.contains(.slowPromotion) ? 2_200...2_800 : 300...2_800
        after(random.milliseconds(absenceUntilVote)) { [unowned self] in
            guard shards[node.shard].master == node.index, !node.answers(now), node.absences == absence,
                let other = shards[node.shard].servers.map({ nodes[$0] }).first(where: { $0 !== node }),
                other.answers(now)
            else { return }
            shards[node.shard].master = other.index
            shards[node.shard].epoch += 1
            other.believesMaster = true
            node.believesMaster = node.isUp
            trace.note("promoted", other.index)
            name(node.shard)
            // What came between two silences, too short for a look at the roles to settle the first one, is a
            // deposed master's by now: its replica may announce it again.
            if wasBriefThaw, let thawedAt = node.thawedAt {
                for index in process.announced.indices where process.announced[index].at >= thawedAt {
                    process.announced[index].isDeposed = true
                }
            }
            after(random.milliseconds(50...150)) { [unowned self] in
                guard other.answers(now), shards[node.shard].master == other.index else { return }
                announceOverdue(node.shard, other)
            }
        }
    }

    // MARK: - The view

    /// What a look at the servers shows now.
    func view() -> Topology {
        switch schedule.deployment {
        case .cluster: slotsMoved > 0 ? SimulatedTopology.moving[slotsMoved] : SimulatedTopology.cluster
        case .single: conditions.hasAlias ? SimulatedTopology.alias : SimulatedTopology.single
        case .pair: SimulatedTopology.pair(master: shards[0].named, epoch: shards[0].namedEpoch)
        }
    }
}

/// The few topologies there are, made once: a cluster's slots are many.
enum SimulatedTopology {
    static func address(_ index: Int) -> NodeAddress { NodeAddress(host: "10.0.0.\(index + 1)", port: 6379) }

    static func slot(of key: [UInt8]) -> UInt16 { HashSlot.of(key) }

    static let single = Topology(
        mode: .standalone, nodes: [Topology.Node(id: "n0", address: address(0), role: .master)])

    /// One server, known under two addresses.
    static let alias = Topology(
        mode: .standalone,
        nodes: [
            Topology.Node(id: "n0", address: address(0), role: .master),
            Topology.Node(id: "n1", address: address(1), role: .replica),
        ])

    /// - Parameter master: its index.
    static func pair(master: Int, epoch: UInt64) -> Topology {
        Topology(
            mode: .sentinel,
            nodes: (0..<2).map { index in
                let role = index == master ? Topology.Role.master : .replica
                return Topology.Node(
                    id: "n\(index)", address: address(index), role: role, configEpoch: role == .master ? epoch : 0)
            })
    }

    static let cluster = Topology(
        cluster: (0..<3).map { Topology.Node(id: "n\($0)", address: address($0), role: .master) },
        owner: (0..<Topology.slotCount).map { "n\($0 * 3 / Topology.slotCount)" })

    /// By how many steps the slots of the first master have moved to the second.
    static let moving = (0...steps).map { step in
        Topology(
            cluster: (0..<3).map { Topology.Node(id: "n\($0)", address: address($0), role: .master) },
            owner: (0..<Topology.slotCount).map { slot in
                "n\(hasMoved(slot, by: step) ? 1 : slot * 3 / Topology.slotCount)"
            })
    }
    static let steps = 120
    static func hasMoved(_ slot: Int, by step: Int) -> Bool {
        slot * 3 / Topology.slotCount == 0 && slot % steps < step
    }
}
