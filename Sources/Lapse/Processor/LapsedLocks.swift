/// Lapse's own locks that ran out before a term began: the node has counted such an expiration, and it
/// is no loss.
///
/// Had a replica heard that, it would be in the log by the time a hole is settled; if not, one ordinal
/// of the hole is the lock's.
package struct LapsedLocks: Sendable {
    /// Keys of locks that ran out before this term, and have not been found.
    private var unheard: Set<String> = []
    /// What was put into a log for one of them, by process.
    private var found: [String: UInt64] = [:]
    /// How far each process had been heard when the term began.
    private var heardThrough: [String: UInt64] = [:]

    package init() {}

    /// - Parameters:
    ///   - keys: those whose terms never gave them back.
    ///   - logs: as they are when the term begins.
    package init(_ keys: some Sequence<String>, _ logs: some Sequence<NodeLog>) {
        unheard = Set(keys)
        guard !unheard.isEmpty else { return }
        for log in logs { heardThrough[log.runID] = log.lastOrdinal }
    }

    /// Whether a lock ran out, and has not been found.
    package func awaits(_ key: String) -> Bool { unheard.contains(key) }

    /// A lock's expiration was announced, and a feed heard it.
    package mutating func heard(_ key: String) { unheard.remove(key) }

    /// Whether a lock's end was heard before this term began: it is in a log of its node, behind the last
    /// progress, and stands for no ordinal of a hole.
    ///
    /// - Parameter last: how far the last progress of a process goes.
    package static func wasHeard(
        _ key: String, in logs: some Sequence<NodeLog>, after last: (String) -> UInt64
    ) -> Bool {
        let bytes = Array(key.utf8)
        return logs.contains { $0.holds(bytes, from: last($0.runID) + 1) }
    }

    /// Puts into the part of a hole that is settled, and that no peer could fill, the expirations of own
    /// locks; returns which, with their ordinals. What is asked about again may be another's.
    ///
    /// - Parameters:
    ///   - last: how far the last leader's progress goes: its lock ran out later.
    ///   - isAt: whether a lock's key lies on the node of this log.
    package mutating func fill(
        _ hole: Repairer.Hole, _ end: RepairInquiry.End, of log: NodeLog, after last: UInt64, look: Int, now: UInt64,
        isAt: (String) -> Bool
    ) -> [(key: String, ordinal: UInt64)] {
        let part = hole.settled(by: end)
        // It ran out before the term began: what was missed later does not hold it.
        let known = log.baseline.map { max($0, last, heardThrough[hole.runID] ?? 0) } ?? .max
        guard hole.survey == nil, !hole.isUnannounced, part.upperBound > last, part.lowerBound - 1 <= known else {
            return []
        }
        let settled = max(part.lowerBound, last + 1)...part.upperBound
        var filled: [(key: String, ordinal: UInt64)] = []
        for key in unheard.filter(isAt).sorted() where !log.holds(Array(key.utf8), from: settled.lowerBound) {
            guard let ordinal = put(key, into: log, settled, look: look, now: now) else { break }
            unheard.remove(key)
            found[hole.runID] = ordinal
            filled.append((key, ordinal))
        }
        return filled
    }

    /// Whether a hole was nothing but an own lock.
    package func explains(_ gap: Gap) -> Bool {
        gap.ordinals.count == 1 && found[gap.runID] == gap.ordinals.lowerBound
    }

    /// In the last free place: which one it was cannot be known, and does not matter.
    private func put(
        _ key: String, into log: NodeLog, _ ordinals: ClosedRange<UInt64>, look: Int, now: UInt64
    ) -> UInt64? {
        let nearest = max(ordinals.lowerBound, ordinals.upperBound - min(ordinals.upperBound, 1000))
        for ordinal in (nearest...ordinals.upperBound).reversed() {
            let lock = HeardExpiration(ordinal: ordinal, database: 0, receivedAt: now, key: Array(key.utf8))
            if log.insert([lock], look: look, now: now) == 1 { return ordinal }
        }
        return nil
    }
}
