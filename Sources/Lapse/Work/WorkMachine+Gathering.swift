import RedisClient

/// Where many entries come, orders wait a little for each other, and what is ready stands for longer.
extension WorkMachine {
    /// How long a handled one waits for others, or for a begin, to be acknowledged together.
    private static let acknowledgePause = Duration.milliseconds(10)
    /// How many do not wait for more.
    private static let enoughDone = 256
    /// Between reads that bring less than they ask for: what is added meanwhile comes together. As long as
    /// so many take to come, but not shorter or longer than these. Less than half of what a handled one
    /// waits, so that the next begin acknowledges it.
    private static let enoughRead = 32
    private static let readPauses = (least: Duration.milliseconds(2), most: Duration.milliseconds(5))
    /// How long free lanes wait for others to be free, too, where a lane takes less than four times that.
    private static let lanePause = Duration.microseconds(500)
    /// In hand for lanes to come, at most.
    private static let mostPrefetched = 512

    var isFast: Bool { rate >= settings.fast }

    /// Entries in hand that lanes have or will have. Few for lanes to come: an idle worker cannot have
    /// them. Those of 10 ms are gone before one could.
    var mostInHand: Int {
        let few = min(settings.lanes / 4, 64)
        return settings.lanes + (isFast ? min(max(few, rate / 100), Self.mostPrefetched) : few)
    }

    /// A read has brought so many.
    mutating func gather(_ name: String, _ count: Int, _ now: Duration) {
        guard isFast, count > 0, let partition = partitions[name], count < partition.asked else { return }
        let pause = Duration.seconds(1) * Self.enoughRead / max(1, rate)
        partitions[name]?.readAt = now + min(max(pause, Self.readPauses.least), Self.readPauses.most)
    }

    /// It is handled, or buried.
    mutating func noteDone(_ entry: WorkEntry, _ now: Duration) {
        let acknowledgeBy = isFast ? now + Self.acknowledgePause : now
        // In place: a copy of the partition would copy the list.
        partitions[entry.partition]?.addDone(entry.id, acknowledgeBy)
    }

    /// Whether what is done is to be acknowledged now, without a begin.
    func isDue(_ partition: Partition, _ now: Duration) -> Bool {
        guard !partition.isAcknowledging, !partition.done.isEmpty, partition.acknowledgeAt <= now else { return false }
        return partition.acknowledgeBy <= now || partition.done.count >= Self.enoughDone || isLeaving
    }

    /// What is acknowledged with a begin. Apart after a failure: a server without memory takes the one and
    /// not the other.
    mutating func toAcknowledge(besides name: String, _ now: Duration) -> [StreamID] {
        guard let partition = partitions[name], !partition.isAcknowledging, partition.failures == 0,
            partition.acknowledgeAt <= now, !partition.done.isEmpty
        else { return [] }
        return partitions[name]?.takeDone(Self.enoughDone) ?? []
    }

    /// Whether the free lanes are too few for an order of their own, and others will be free at once. At
    /// half of them all went on in two halves for long, in turns, with twice the orders.
    mutating func waitsForLanes(_ now: Duration) -> Bool {
        let free = settings.lanes - busy
        let areQuick = isFast && settings.lanes < rate / 500
        guard areQuick, 8 * free < 7 * settings.lanes, beginBy.map({ now < $0 }) ?? true else {
            beginBy = nil
            return false
        }
        beginBy = beginBy ?? now + Self.lanePause
        return true
    }
}

extension WorkMachine.Partition {
    /// It can be asked to count attempts; then all that is queued is ready.
    func mayBegin(_ now: Duration) -> Bool { !isBeginning && beginAt <= now }

    fileprivate mutating func addDone(_ id: StreamID, _ time: Duration) {
        if done.isEmpty { acknowledgeBy = time }
        done.append(id)
    }

    /// They are on their way to be acknowledged.
    mutating func takeDone(_ most: Int) -> [StreamID] {
        let ids = Array(done.prefix(most))
        done.removeFirst(ids.count)
        isAcknowledging = true
        return ids
    }
}
