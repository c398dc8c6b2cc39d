/// What a node counted while its subscribers stayed connected and heard nothing. A pure value.
package struct UnannouncedOrdinals: Sendable, Equatable {
    /// Why nothing was heard.
    package enum Reason: Sendable, Equatable {
        /// Its `notify-keyspace-events` were missing, or are unknown: a key may have expired unheard.
        case silenced
        /// It was set to announce all the while: it counts what it does not announce, as Redis 8.6 does with a
        /// SET whose deadline has passed.
        case countedOnly
    }

    private struct Stretch: Sendable, Equatable {
        var ordinals: ClosedRange<UInt64>
        var reason: Reason
    }

    /// In order.
    private var stretches: [Stretch] = []

    package init() {}

    package mutating func add(_ ordinals: ClosedRange<UInt64>, _ reason: Reason = .silenced) {
        stretches.append(Stretch(ordinals: ordinals, reason: reason))
    }

    /// The numbers behind `start` turned out to be too low by `shift`; nothing here reaches across it.
    package mutating func renumber(after start: UInt64, by shift: UInt64) {
        for index in stretches.indices where stretches[index].ordinals.lowerBound > start {
            let ordinals = stretches[index].ordinals
            stretches[index].ordinals = ordinals.lowerBound + shift...ordinals.upperBound + shift
        }
    }

    /// Forgets what the leader has passed.
    package mutating func trim(through ordinal: UInt64) { stretches.removeAll { $0.ordinals.upperBound <= ordinal } }

    /// The begin of a hole, as far as all of it is of one kind. No reason: it may have been announced.
    package func first(of hole: ClosedRange<UInt64>) -> (ordinals: ClosedRange<UInt64>, reason: Reason?) {
        guard let next = stretches.first(where: { $0.ordinals.overlaps(hole) }) else { return (hole, nil) }
        guard next.ordinals.lowerBound <= hole.lowerBound else {
            return (hole.lowerBound...next.ordinals.lowerBound - 1, nil)
        }
        return (hole.lowerBound...min(hole.upperBound, next.ordinals.upperBound), next.reason)
    }

    /// What of a gap may have been announced.
    package func others(in gap: ClosedRange<UInt64>) -> [ClosedRange<UInt64>] {
        var others: [ClosedRange<UInt64>] = []
        var rest = gap
        while true {
            let part = first(of: rest)
            if part.reason == nil { others.append(part.ordinals) }
            guard part.ordinals.upperBound < rest.upperBound else { return others }
            rest = part.ordinals.upperBound + 1...rest.upperBound
        }
    }
}
