import Lapse
import RedisClient

/// A consumer group as Redis keeps it, and the counts beside it: what the worker's scripts do, in a few
/// lines.
struct ModelGroup {
    struct Pending { var consumer: Int, since: Duration }
    struct Count { var begun: Int, turn: String }

    private(set) var streams: [String: [StreamID]] = [:]
    private var delivered: [String: Int] = [:]
    private(set) var pending: [WorkEntry: Pending] = [:]
    private(set) var counts: [WorkEntry: Count] = [:]
    private(set) var deleted: Set<WorkEntry> = []
    /// Those of them that a worker, which claimed or left, was told to be lost.
    private(set) var told: Set<WorkEntry> = []

    mutating func add(_ partition: String, _ id: StreamID) { streams[partition, default: []].append(id) }

    /// An entry that is pending: it was trimmed, say.
    mutating func delete(_ entry: WorkEntry) { deleted.insert(entry) }

    private mutating func tellDeleted(_ entry: WorkEntry) {
        told.insert(entry)
        acknowledge(entry)
    }

    mutating func read(_ partition: String, _ limit: Int, by consumer: Int, now: Duration) -> [StreamID] {
        let all = streams[partition, default: []]
        let first = delivered[partition, default: 0]
        let ids = Array(all[first..<min(all.count, first + limit)])
        delivered[partition] = first + ids.count
        for id in ids { pending[WorkEntry(partition, id)] = Pending(consumer: consumer, since: now) }
        return ids
    }

    /// - Parameter held: nil for what silent consumers have; else for what this one has beside these.
    mutating func claim(
        _ partition: String, _ from: StreamID, _ limit: Int, by consumer: Int, held: [StreamID]? = nil,
        idle: Duration, now: Duration
    ) -> (ids: [StreamID], next: StreamID) {
        let candidates = pending.filter { entry, found in
            entry.partition == partition && entry.id >= from
                && (held.map { found.consumer == consumer && !$0.contains(entry.id) } ?? true)
        }.map(\.key.id).sorted()
        let idle = held == nil ? idle : .zero
        var ids: [StreamID] = []
        for id in candidates {
            guard ids.count < limit else { return (ids, id) }
            let entry = WorkEntry(partition, id)
            guard let found = pending[entry], found.since + idle <= now else { continue }
            if deleted.contains(entry) {
                tellDeleted(entry)
                continue
            }
            pending[entry] = Pending(consumer: consumer, since: now)
            ids.append(id)
        }
        return (ids, .zero)
    }

    mutating func begin(_ entry: WorkEntry, turn: String, by consumer: Int, now: Duration) -> Int? {
        guard pending[entry]?.consumer == consumer else { return nil }
        if !deleted.contains(entry) { pending[entry]?.since = now }
        var count = counts[entry] ?? Count(begun: 0, turn: "")
        if count.turn != turn { count = Count(begun: count.begun + 1, turn: turn) }
        counts[entry] = count
        return count.begun
    }

    mutating func acknowledge(_ entry: WorkEntry) {
        pending[entry] = nil
        counts[entry] = nil
    }

    enum Kept { case kept, lost, gone }

    mutating func keep(_ entry: WorkEntry, by consumer: Int, now: Duration) -> Kept {
        guard pending[entry]?.consumer == consumer else { return .lost }
        guard !deleted.contains(entry) else { return .gone }
        pending[entry]?.since = now
        return .kept
    }

    mutating func leave(_ partition: String, consumer: Int, now: Duration) {
        for (entry, found) in pending where entry.partition == partition && found.consumer == consumer {
            if deleted.contains(entry) { tellDeleted(entry) } else { pending[entry]?.since = now - .seconds(3600) }
        }
    }
}
