import Lapse
import RESP
import Timing

/// One replica while it leads: what the product's `Punctuality` keeps.
final class PunctualLeader {
    /// By the server's index.
    fileprivate(set) var askers: [Asker?]
    let lookBell = AskerBell()
    /// When the last look was over, by the leader's clock: the next one began later.
    fileprivate var lookedAt: Int64 = .min
    /// By slot, the server that owned it when its leader last looked.
    fileprivate var seenOwners: [Int] = []

    fileprivate init(_ servers: Int) { askers = [Asker?](repeating: nil, count: servers) }

    func asker(at index: Int) -> Asker? { askers.indices.contains(index) ? askers[index] : nil }

    /// In the order of the servers.
    var present: [Asker] { askers.compactMap(\.self) }
}

/// What a look at the topology shows.
private struct PunctualView {
    /// By shard.
    var masters: [Int]
    /// By slot.
    var owners: [Int]
    /// Masters by their own word and that of the others.
    var settled: Set<Int>
}

extension PunctualWorld {
    func startLeader() {
        let leader = PunctualLeader(servers.count)
        self.leader = leader
        // The replica had a view before it led.
        adjust(view, leader)
        lookSoon(leader)
        hasChangedOwners()
        for key in watched.indices { watched[key].heldBy = nil }
    }

    func stopLeader() {
        for asker in leader?.present ?? [] { stop(asker) }
        leader = nil
        excusedUntil = max(excusedUntil, now)
    }

    /// Breaks what refers to each other, at the end of a run.
    func letGo() {
        for asker in leader?.present ?? [] {
            for bell in [asker.askBell, asker.nudgeBell, asker.sweepBell] { _ = bell.ring() }
            (asker.line, asker.hintLine) = (nil, nil)
        }
        if let leader { _ = leader.lookBell.ring() }
        leader = nil
        for server in servers {
            for line in server.lines { (line.underWay, line.backlog) = ([], []) }
            (server.lines, server.hintLines) = ([], [])
        }
    }

    // MARK: - The view

    private var view: PunctualView {
        var view = PunctualView(masters: masters, owners: owners, settled: [])
        for shard in masters.indices {
            if viewLags[shard].until > now { view.masters[shard] = viewLags[shard].former }
            let server = servers[view.masters[shard]]
            if server.isMaster, server.isReachable(now) { view.settled.insert(server.index) }
        }
        return view
    }

    /// Something did not fit the view.
    func refreshSoon() {
        if let leader { ring(leader.lookBell) }
    }

    private func lookSoon(_ leader: PunctualLeader) {
        wait(leader.lookBell, until: now + random.milliseconds(900...1_100)) { [unowned self] in
            guard leader === self.leader else { return }
            let seen = view
            let isHeldUp = servers.contains { !$0.isReachable(now) }
            after(random.milliseconds(isHeldUp ? 1...300 : 1...5)) { [unowned self] in
                guard leader === self.leader else { return }
                looked(seen, leader)
                // A storm of surprises costs one look each 20 ms, no more.
                after(.milliseconds(20)) { [unowned self] in lookSoon(leader) }
            }
        }
    }

    private func looked(_ seen: PunctualView, _ leader: PunctualLeader) {
        let begun = leader.lookedAt
        leader.lookedAt = clock
        for asker in leader.present where seen.settled.contains(asker.server.index) {
            asker.machine.confirmedAt = begun
        }
        adjust(seen, leader)
    }

    // MARK: - The masters

    /// Ends what is done about servers that are no masters any more, and hands what was kept to the new
    /// owners.
    private func adjust(_ view: PunctualView, _ leader: PunctualLeader) {
        let left = leader.present.filter { !view.masters.contains($0.server.index) }
        var new: [Asker] = []
        for asker in left { leader.askers[asker.server.index] = nil }
        for index in view.masters where leader.askers[index] == nil {
            let asker = Asker(servers[index], machine(), begunAt: now)
            leader.askers[index] = asker
            new.append(asker)
        }
        for asker in left {
            stop(asker)
            handOver(asker, view, leader)
        }
        if !left.isEmpty { hasChangedOwners() }
        for asker in new { start(asker) }
        let owners = view.owners.map { view.masters[$0] }
        for (slot, former) in leader.seenOwners.enumerated() where owners[slot] != former {
            received(slot, owners[slot], leader)
        }
        leader.seenOwners = owners
    }

    /// A slot has come to a server: what no hint told of where it was, a sweep finds from now on.
    private func received(_ slot: Int, _ owner: Int, _ leader: PunctualLeader) {
        guard let asker = leader.asker(at: owner) else { return }
        // The sweep would hide what is forgotten at a redirection.
        if mistake != .arrivalsOverlooked, mistake != .forgottenAtMoved { asker.pace.wantArrivals() }
        ring(asker.sweepBell)
        for key in watched.indices where self.slot(of: key) == slot && home(of: key).server === asker.server {
            if watched[key].isUnheard { excuse(key, until: now + Self.grace) }
            watched[key].isUnheard = false
        }
    }

    /// Whether the leader knows which server owns a slot.
    func isSeen(_ slot: Int) -> Bool {
        guard let leader, leader.seenOwners.indices.contains(slot) else { return false }
        return leader.seenOwners[slot] == masters[owners[slot]]
    }

    private func machine() -> PunctualMachine {
        // The same seed of hashes in each process, or a run could not be repeated.
        var machine = PunctualMachine(bytes: schedule.bytes ?? 8 << 20, seed: 1)
        machine.limits.hints = schedule.hints
        if schedule.isSplit { (machine.limits.questions, machine.limits.nudges) = (8, 4) }
        if mistake == .everyHintAsks { machine.limits.again = 0 }
        return machine
    }

    private func start(_ asker: Asker) {
        note("begins", asker.server.index)
        keepClock(asker)
        sweep(asker)
        work(.nudge, asker)
        work(.question, asker)
        listen(asker)
    }

    private func stop(_ asker: Asker) {
        note("ends", asker.server.index)
        asker.isOver = true
        for bell in [asker.askBell, asker.nudgeBell, asker.sweepBell] { ring(bell) }
        if let line = asker.hintLine {
            line.isFlowing = false
            asker.server.hintLines.removeAll { $0 === line }
        }
    }

    private func handOver(_ asker: Asker, _ view: PunctualView, _ leader: PunctualLeader) {
        var kept = HandOver(asker.machine, now: clock)
        while case let slice = kept.next(), !slice.isEmpty {
            for known in slice {
                guard let key = number(of: known.key),
                    let other = leader.asker(at: view.masters[view.owners[slot(of: key)]])
                else { continue }
                adopt(known, isImporting: false, other)
            }
        }
        for other in leader.present { wake(other) }
        for key in watched.indices where watched[key].heldBy == asker.server.index { watched[key].heldBy = nil }
    }
}
