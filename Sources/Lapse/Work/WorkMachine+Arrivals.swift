import RedisClient

/// What comes of the orders that bring entries.
extension WorkMachine {
    /// An order has failed: it is given again later, after failures in a row after a second.
    mutating func put(
        off name: String, _ time: WritableKeyPath<Partition, Duration>, _ now: Duration, asksForLess: Bool = false
    ) {
        guard var partition = partitions[name] else { return }
        partition[keyPath: time] = now + min(.milliseconds(50) * (1 << partition.failures), .seconds(1))
        partition.failures = min(partition.failures + 1, 8)
        if asksForLess { partition.limit = max(1, partition.limit / 2) }
        partitions[name] = partition
    }

    /// Its answer was lost, or could not be taken in: what it held is this worker's, and in no hand.
    mutating func readFailed(_ name: String, _ now: Duration) {
        partitions[name]?.isReading = false
        put(off: name, \.readAt, now, asksForLess: true)
        guard var partition = partitions[name] else { return }
        partition.reclaimFrom = .zero
        partition.claimAt = min(partition.claimAt, partition.readAt)
        partitions[name] = partition
    }

    /// The same.
    mutating func claimFailed(_ name: String, _ now: Duration) {
        endClaim(name)
        put(off: name, \.claimAt, now, asksForLess: true)
        partitions[name]?.reclaimFrom = .zero
    }

    /// - Parameter next: where to go on; zero when it was all.
    mutating func claimed(_ name: String, next: StreamID, _ now: Duration) {
        let isReclaimed = partitions[name]?.isReclaiming ?? false
        endClaim(name)
        guard var partition = partitions[name] else { return }
        if !isReclaimed {
            partition.claimFrom = next
        } else if next != .zero {
            // Another answer may have been lost meanwhile: then it begins anew.
            partition.reclaimFrom = min(partition.reclaimFrom ?? next, next)
        }
        let isAll = !isReclaimed && next == .zero && partition.reclaimFrom == nil
        partition.claimAt = isAll ? now + settings.claimPause : now
        partitions[name] = partition
    }

    private mutating func endClaim(_ name: String) {
        claiming -= partitions[name]?.claiming ?? 0
        partitions[name]?.claiming = 0
        partitions[name]?.isReclaiming = false
    }

    mutating func arrived(_ name: String, _ ids: [StreamID], _ bytes: [Int]) {
        guard var partition = partitions[name] else { return }
        partition.failures = 0
        partition.limit = limit(after: ids.count, bytes.reduce(0, +), partition.limit)
        partitions[name] = partition
        // The group has them as this worker's; leaving gives them back.
        guard !isLeaving else { return }
        for (index, id) in ids.enumerated() {
            let entry = WorkEntry(name, id)
            let size = index < bytes.count ? bytes[index] : 0
            // Known: its heartbeat came late, and it was claimed by this worker itself.
            if let known = entries.updateValue(InHand(bytes: size), forKey: entry) {
                entries[entry] = known
                continue
            }
            ready.append(entry)
            partition.queued += 1
            partition.bytes += size
        }
        partitions[name] = partition
    }

    /// About what one answer is to bring, in bytes: it is read, and lies in memory, as a whole.
    static let answerBytes = 8 << 20

    /// How many are to be asked for after an answer with `count` entries.
    private func limit(after count: Int, _ bytes: Int, _ limit: Int) -> Int {
        if bytes > Self.answerBytes / 2 { return min(limit, max(1, count * Self.answerBytes / bytes)) }
        // Fewer say nothing about how many one answer can bring.
        return count >= limit ? min(256, limit * 2) : limit
    }

    /// They are in hand no more.
    mutating func drop(_ name: String, _ ids: [StreamID]) {
        var bytes = 0
        for id in ids { bytes += entries.removeValue(forKey: WorkEntry(name, id))?.bytes ?? 0 }
        partitions[name]?.bytes -= bytes
    }

    /// It is in hand no more.
    mutating func drop(_ entry: WorkEntry) {
        guard let inHand = entries.removeValue(forKey: entry) else { return }
        partitions[entry.partition]?.bytes -= inHand.bytes
    }
}
