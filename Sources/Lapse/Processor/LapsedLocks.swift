/// Lapse's own locks that ran out, before a term began or while it went on: the node has counted such
/// an expiration, and it is no loss.
///
/// Had a replica heard that, it would be in the log by the time a hole is settled; if not, one ordinal
/// of the hole is the lock's.
package struct LapsedLocks: Sendable {
    /// When a lock ran out, by the counts of its node's processes.
    private struct Window {
        /// What each process had announced at least; nil where the last progress tells.
        var after: [String: UInt64]?
        /// What was known at most of each.
        var through: [String: UInt64] = [:]
    }

    /// Keys of locks that ran out and have not been found.
    private var unheard: [String: Window] = [:]
    /// What was put into a log for one of them, by process.
    private var found: [String: UInt64] = [:]
    /// Gaps through here have been asked about, by process: see ``besides(_:_:of:after:isAt:)``.
    private var askedThrough: [String: UInt64] = [:]

    /// More are asked about once these have been.
    private static let gapsAtOnce = 8

    package init() {}

    /// - Parameters:
    ///   - keys: those whose terms never gave them back.
    ///   - logs: as they are when the term begins.
    package init(_ keys: some Sequence<String>, _ logs: some Sequence<NodeLog>) {
        var window: Window?
        for key in keys {
            let common = window ?? Window(through: Self.positions(logs, \.lastOrdinal))
            window = common
            unheard[key] = common
        }
    }

    private static func positions(
        _ logs: some Sequence<NodeLog>, _ position: (NodeLog) -> UInt64?
    ) -> [String: UInt64] {
        logs.reduce(into: [:]) { $0[$1.runID] = position($1) }
    }

    /// What each process has announced for certain: a lock that holds now runs out later.
    package static func announced(_ logs: some Sequence<NodeLog>) -> [String: UInt64] {
        positions(logs.filter { !$0.isProvisional }, \.counts.last)
    }

    /// What is known of each process at most.
    package static func known(_ logs: some Sequence<NodeLog>) -> [String: UInt64] { positions(logs, \.counts.last) }

    /// A lock ran out while its term went on, and is not known to be heard.
    ///
    /// - Parameters:
    ///   - after: ``announced(_:)`` when its node last took a renewal. A process that is missing there
    ///     cannot have counted it.
    ///   - through: ``known(_:)`` when it was gone.
    package mutating func ranOut(_ key: String, after: [String: UInt64], through: [String: UInt64]) {
        unheard[key] = Window(after: after, through: through)
    }

    /// Whether a lock ran out, and has not been found.
    package func awaits(_ key: String) -> Bool { unheard[key] != nil }

    /// A lock's expiration was announced, and a feed heard it.
    package mutating func heard(_ key: String) { unheard[key] = nil }

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
        let latest = unheard.compactMap { key, window -> UInt64? in
            guard isAt(key), let settled = places(hole, end, log, last, window), isMissing(key, log, settled) else {
                return nil
            }
            return known(log, last, window)
        }.max()
        guard let latest, let announced = log.counts.last else { return [] }
        var asked = max(askedThrough[hole.runID] ?? 0, hole.settled(by: end).upperBound)
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

    /// How far a process was announced at most when a lock ran out. What was missed later does not hold it.
    private func known(_ log: NodeLog, _ last: UInt64, _ window: Window) -> UInt64 {
        let through = window.through[log.runID] ?? 0
        guard window.after == nil else { return through }
        return log.baseline.map { max($0, last, through) } ?? .max
    }

    /// Where in a hole a lock may have ended; nil where it cannot.
    private func places(
        _ hole: Repairer.Hole, _ end: RepairInquiry.End, _ log: NodeLog, _ last: UInt64, _ window: Window
    ) -> ClosedRange<UInt64>? {
        var last = last
        if let after = window.after {
            guard let announced = after[log.runID] else { return nil }
            last = max(last, announced)
        }
        let part = hole.settled(by: end)
        guard hole.survey == nil, !hole.isUnannounced, part.upperBound > last,
            part.lowerBound - 1 <= known(log, last, window)
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
        var filled: [(key: String, ordinal: UInt64)] = []
        for (key, window) in unheard.sorted(by: { $0.key < $1.key }) where isAt(key) {
            guard let settled = places(hole, end, log, last, window), isMissing(key, log, settled),
                let ordinal = put(key, into: log, settled, look: look, now: now)
            else { continue }
            unheard[key] = nil
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
