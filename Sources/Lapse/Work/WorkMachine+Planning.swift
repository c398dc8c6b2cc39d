import DequeModule
import HeapModule
import RedisClient

extension WorkMachine {
    /// In one order: a script keeps the server from all others while it runs.
    private static let mostAcknowledged = 1_000

    /// In hand, of all partitions. With more nothing is asked for, and what is on its way comes on top.
    private static let mostBytes = 64 << 20

    /// So much of what all partitions share one may have for itself: when it falls silent with all of that,
    /// the others go on.
    func mostOfOne(of all: Int) -> Int { order.count > 1 ? max(1, all - max(1, all / order.count)) : all }

    /// What may still be read and claimed. What a partition has beyond its part, by retries or of large
    /// entries, takes no room from the others.
    var room: Int {
        let all = mostInHand
        let (most, mostBytes) = (mostOfOne(of: all), mostOfOne(of: Self.mostBytes))
        var (room, bytes) = (all - busy - ready.count, 0)
        for partition in partitions.values {
            room += max(0, partition.queued - most)
            bytes += min(partition.bytes, mostBytes)
        }
        return bytes < Self.mostBytes ? room : 0
    }

    private func held(of name: String) -> [StreamID] {
        entries.keys.lazy.filter { $0.partition == name }.map(\.id).sorted()
    }

    /// What is to be asked of one partition now.
    mutating func plan(_ name: String, _ now: Duration, _ actions: inout [Action]) {
        guard var partition = partitions[name] else { return }
        defer { partitions[name] = partition }
        if isDue(partition, now) { actions.append(.acknowledge(name, partition.takeDone(Self.mostAcknowledged))) }
        if !partition.isKeeping, partition.keepAt <= now, !partition.hasLeft {
            partition.keepAt = now + settings.claimAfter / 3
            let ids = held(of: name)
            if !ids.isEmpty {
                partition.isKeeping = true
                actions.append(.keep(name, ids))
            }
        }
        guard !isLeaving, waits < settings.waitingLimit else { return }
        // Handled ones that cannot be acknowledged are in hand, too.
        guard partition.done.count < 4 * Self.mostAcknowledged else { return }
        let room = room
        let own = mostOfOne(of: mostInHand) - partition.queued
        guard room > 0, own > 0, partition.bytes < mostOfOne(of: Self.mostBytes) else { return }
        // What a partition may bring at once, so that several do not bring too much.
        let fair = min(mostInHand / max(1, order.count), partition.limit)
        let share = max(1, min(room, own, fair))
        // A claim is answered at once: with little room they go one after the other. Reads wait, each for its
        // own partition.
        let claimed = min(share, room - claiming)
        if !partition.isClaiming, partition.claimAt <= now, claimed > 0 {
            partition.claiming = claimed
            claiming += claimed
            if let from = partition.reclaimFrom {
                partition.reclaimFrom = nil
                partition.isReclaiming = true
                actions.append(.reclaim(name, from: from, limit: claimed, held: held(of: name)))
            } else {
                actions.append(.claim(name, from: partition.claimFrom, limit: claimed))
            }
        }
        // A few more are not worth an order while there are others to go on with.
        if isFast, !ready.isEmpty, share < fair / 2 { return }
        if !partition.isReading, partition.readAt <= now {
            partition.isReading = true
            partition.asked = share
            actions.append(.read(name, limit: share))
        }
    }

    /// Attempts for the lanes that are free.
    mutating func planBegins(_ now: Duration, _ actions: inout [Action]) {
        retryDue(now, &actions)
        guard !isLeaving, !ready.isEmpty, busy < settings.lanes, !waitsForLanes(now) else { return }
        var begins: [PartitionBegins] = []
        var places: [String: Int] = [:]
        // Of the entry before: the next one is mostly of the same partition.
        var place = 0
        let most = mostOfOne(of: settings.lanes)
        var passedOver: [WorkEntry] = []
        // Ready in partitions that can be asked now.
        var left = partitions.values.reduce(0) { $0 + ($1.mayBegin(now) ? $1.queued : 0) }
        while busy < settings.lanes, let entry = ready.first {
            guard let index = entries.index(forKey: entry), entries.values[index].phase == .ready else {
                ready.removeFirst()
                continue
            }
            guard left > 0 else { break }
            ready.removeFirst()
            if begins.isEmpty || begins[place].name != entry.partition {
                place = places[entry.partition] ?? begins.count
                if place == begins.count {
                    places[entry.partition] = place
                    let mayBegin = partitions[entry.partition]?.mayBegin(now) ?? false
                    begins.append(PartitionBegins(name: entry.partition, mayBegin: mayBegin))
                }
            }
            if begins[place].mayBegin { left -= 1 }
            // A partition that cannot be asked now, or has not answered yet, does not keep the lanes from the
            // others.
            guard begins[place].mayBegin, begins[place].all.count < most else {
                passedOver.append(entry)
                continue
            }
            if entries.values[index].turn == 0 {
                lastTurn += 1
                entries.values[index].turn = lastTurn
            }
            entries.values[index].phase = .beginning
            busy += 1
            begins[place].all.append(Begin(id: entry.id, turn: entries.values[index].turn))
        }
        for entry in passedOver.reversed() { ready.prepend(entry) }
        for order in begins.sorted(by: { $0.name < $1.name }) where !order.all.isEmpty {
            partitions[order.name]?.isBeginning = true
            actions.append(.begin(order.name, order.all, acknowledging: toAcknowledge(besides: order.name, now)))
        }
    }

    /// What of one partition is begun in a step.
    private struct PartitionBegins {
        let name: String
        let mayBegin: Bool
        var all: [Begin] = []
    }

    /// The end: nothing is read or begun any more, and what is in no handler is given up.
    mutating func leave(_ actions: inout [Action]) {
        guard !isLeaving else { return }
        isLeaving = true
        for (entry, inHand) in entries where inHand.phase == .ready || inHand.phase == .waiting {
            if inHand.phase == .waiting { waits -= 1 } else { partitions[entry.partition]?.queued -= 1 }
            drop(entry)
        }
        ready.removeAll()
        actions.append(.stopReading)
    }

    /// Leaves each partition of which nothing is in hand and nothing can come any more. What the group
    /// still has as this worker's is given back there.
    mutating func planLeaving(_ now: Duration, _ actions: inout [Action]) {
        guard isLeaving else { return }
        if isDrainOver {
            // A letter that could not be written is another worker's to write.
            for (entry, inHand) in entries {
                if case .burying = inHand.phase, waiting.unordered.contains(where: { $0.entry == entry }) {
                    waits -= 1
                    drop(entry)
                }
            }
        }
        for name in emptyHanded {
            guard let partition = partitions[name], !partition.isLeaving, !partition.isReading, !partition.isClaiming,
                !partition.isKeeping
            else { continue }
            partitions[name]?.isLeaving = true
            actions.append(.leave(name))
        }
    }

    /// The next time at which something is due without an answer.
    mutating func planWake(_ now: Duration, _ actions: inout [Action]) {
        guard !isFinished else { return }
        var next = waiting.min?.at
        func consider(_ time: Duration) {
            guard time > now else { return }
            next = min(next ?? time, time)
        }
        let hasRoom = room > 0 && waits < settings.waitingLimit
        let holds = !entries.isEmpty
        for name in order {
            guard let partition = partitions[name] else { continue }
            if holds, !partition.isKeeping { consider(partition.keepAt) }
            if !partition.done.isEmpty, !partition.isAcknowledging {
                consider(max(partition.acknowledgeAt, partition.acknowledgeBy))
            }
            guard !isLeaving else { continue }
            if !ready.isEmpty, busy < settings.lanes, !partition.isBeginning { consider(partition.beginAt) }
            guard hasRoom else { continue }
            if !partition.isReading { consider(partition.readAt) }
            if !partition.isClaiming { consider(partition.claimAt) }
        }
        if let beginBy { consider(beginBy) }
        guard let next, wakeAt.map({ next < $0 || $0 <= now }) ?? true else { return }
        wakeAt = next
        actions.append(.wake(at: max(next, now)))
    }
}
