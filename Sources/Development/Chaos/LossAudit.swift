import ThrowawayRedis

/// Holds what the replicas call lost against what the witness heard, position by position: nothing may
/// be missing in silence, and nothing may be called lost that was handled.
struct LossAudit: Sendable {
    /// Announced, not handled, and in no stretch that a replica told of.
    private(set) var silent: [String] = []
    /// Called lost, and handled; announced only once.
    private(set) var falselyLost: [String] = []
    /// Called lost, and it was a key of Lapse's own, of others, or a server's own repetition.
    private(set) var own = 0
    private(set) var others = 0
    private(set) var repetitions = 0
    /// Called lost, where the witness did not hear either.
    private(set) var unheard = 0

    /// - Parameters:
    ///   - sightings: all that the witness heard.
    ///   - handled: the keys that were handled.
    ///   - prefix: of the keys that are owed.
    init(_ sightings: [ExpirationWitness.Sighting], _ loss: ReportedLoss, handled: Set<String>, prefix: String) {
        var keys: [String: [UInt64: String]] = [:]
        var positions: [String: [ExpirationWitness.Sighting]] = [:]
        for sighting in sightings {
            keys[sighting.runID, default: [:]][sighting.ordinal] = sighting.key
            positions[sighting.key, default: []].append(sighting)
        }
        let stretches = Dictionary(grouping: loss.stretches.keys, by: \.runID)
        for (key, places) in positions where key.hasPrefix(prefix) && !handled.contains(key) {
            let isTold = places.contains { place in
                stretches[place.runID]?.contains { $0.ordinals.contains(place.ordinal) } ?? false
            }
            if !isTold { silent.append("\(key) of \(places[0].runID.prefix(8)):\(places[0].ordinal)") }
        }
        for (runID, told) in stretches {
            for stretch in told {
                take(
                    stretch, loss.stretches[stretch] ?? 0, keys[runID] ?? [:], handled, prefix,
                    others: told.filter { $0 != stretch && $0.ordinals.overlaps(stretch.ordinals) })
            }
            let whole = told.filter { loss.stretches[$0] == $0.ordinals.count }
            for ordinal in Set(whole.flatMap(\.ordinals)) {
                guard let key = keys[runID]?[ordinal] else {
                    unheard += 1
                    continue
                }
                if key.hasPrefix("{lapse-") {
                    own += 1
                } else if !key.hasPrefix(prefix) {
                    others += 1
                } else if handled.contains(key) {
                    if positions[key, default: []].count > 1 {
                        repetitions += 1
                    } else {
                        falselyLost.append("\(key) of \(runID.prefix(8)):\(ordinal)")
                    }
                }
            }
        }
    }

    /// A stretch that is lost only in part does not tell what of it: no fewer than are owed, no more than
    /// these and what is owed to no one. What peers told of it may have been dropped again before its turn:
    /// it is told of in another stretch.
    private mutating func take(
        _ stretch: ReportedLoss.Stretch, _ lost: Int, _ keys: [UInt64: String], _ handled: Set<String>,
        _ prefix: String,
        others overlapping: [ReportedLoss.Stretch]
    ) {
        guard lost < stretch.ordinals.count else { return }
        let heard = stretch.ordinals.compactMap { keys[$0] }
        let owed = Set(heard.filter { $0.hasPrefix(prefix) && !handled.contains($0) }).count
        let mayBeAnybodys = heard.count { !$0.hasPrefix(prefix) }
        let place = "\(stretch.runID.prefix(8)):\(stretch.ordinals)"
        let toldElsewhere = stretch.ordinals.count { ordinal in
            overlapping.contains { $0.ordinals.contains(ordinal) }
                && keys[ordinal].map { $0.hasPrefix(prefix) && !handled.contains($0) } ?? false
        }
        if owed - toldElsewhere > lost { silent.append("\(owed - toldElsewhere - lost) of \(place)") }
        if lost > owed + mayBeAnybodys { falselyLost.append("\(lost - owed - mayBeAnybodys) of \(place)") }
        others += max(0, min(lost - owed, mayBeAnybodys))
    }

    /// What may have been called lost beyond the keys that are owed.
    var beyond: Int { own + others + repetitions }

    var note: String {
        var parts: [String] = []
        if own > 0 { parts.append("own keys \(own)") }
        if others > 0 { parts.append("others' keys \(others)") }
        if repetitions > 0 { parts.append("repetitions \(repetitions)") }
        return parts.isEmpty ? "" : "called lost beyond what is owed: \(parts.joined(separator: ", ")) "
    }

    /// Why the run has failed.
    ///
    /// - Parameters:
    ///   - blind: how many the nodes announced where the witness was deaf.
    ///   - unannounced: how many the nodes counted and did not announce: no listener can know their
    ///     positions, the witness no more than a replica. Then only the sums are compared.
    func problems(blind: Int, unannounced: Int) -> [String] {
        var problems: [String] = []
        if let first = silent.first {
            problems.append("\(silent.count) neither handled nor called lost, such as \(first)")
        }
        if let first = falselyLost.first, unannounced == 0 {
            problems.append("\(falselyLost.count) handled and called lost, such as \(first)")
        }
        if unheard > blind { problems.append("\(unheard) called lost that the witness never heard, \(blind) may be") }
        return problems
    }
}
