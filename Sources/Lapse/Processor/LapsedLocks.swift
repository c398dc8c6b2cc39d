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
    /// Gaps through here have been asked about, by process: see ``besides(_:_:of:after:isAt:)``.
    private var askedThrough: [String: UInt64] = [:]

    /// More are asked about once these have been.
    private static let gapsAtOnce = 8

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

    /// The gaps behind a settled part in which a lock may have ended as well: a peer may have heard it
    /// there, and then it excuses nothing here. They are to be asked about before
    /// ``fill(_:_:of:after:look:now:isAt:)``, until none is left; each is returned once.
    package mutating func besides(
        _ hole: Repairer.Hole, _ end: RepairInquiry.End, of log: NodeLog, after last: UInt64, isAt: (String) -> Bool
    ) -> [Repairer.Hole] {
        guard let settled = places(hole, end, log, last), let announced = log.counts.last,
            unheard.contains(where: { isAt($0) && isMissing($0, log, settled) })
        else { return [] }
        let latest = known(log, last)
        var asked = max(askedThrough[hole.runID] ?? 0, settled.upperBound)
        var found: [ClosedRange<UInt64>] = []
        while found.isEmpty, asked < announced {
            let gaps = log.gaps(in: asked + 1...announced, upTo: Self.gapsAtOnce).prefix { $0.lowerBound - 1 <= latest }
            guard let end = gaps.last?.upperBound else { break }
            asked = end
            found = gaps.flatMap(log.unannounced.others)
        }
        askedThrough[hole.runID] = asked
        return found.map { Repairer.Hole(runID: hole.runID, node: hole.node, ordinals: $0, token: hole.token) }
    }

    /// How far a process was announced at most when the locks ran out: before the term began. What was
    /// missed later does not hold them.
    private func known(_ log: NodeLog, _ last: UInt64) -> UInt64 {
        log.baseline.map { max($0, last, heardThrough[log.runID] ?? 0) } ?? .max
    }

    /// Where in a hole locks may have ended; nil where they cannot.
    private func places(
        _ hole: Repairer.Hole, _ end: RepairInquiry.End, _ log: NodeLog, _ last: UInt64
    ) -> ClosedRange<UInt64>? {
        let part = hole.settled(by: end)
        guard hole.survey == nil, !hole.isUnannounced, part.upperBound > last, part.lowerBound - 1 <= known(log, last)
        else { return nil }
        return max(part.lowerBound, last + 1)...part.upperBound
    }

    private func isMissing(_ key: String, _ log: NodeLog, _ settled: ClosedRange<UInt64>) -> Bool {
        !log.holds(Array(key.utf8), from: settled.lowerBound)
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
        guard let settled = places(hole, end, log, last) else { return [] }
        var filled: [(key: String, ordinal: UInt64)] = []
        for key in unheard.filter(isAt).sorted() where isMissing(key, log, settled) {
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
