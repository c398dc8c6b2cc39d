/// Makes a failing schedule small: fewer faults, less traffic, while the same invariant still breaks.
package struct Shrinker {
    private let defect: Defect?
    private let allowances: Set<Allowance>
    private let invariant: Invariant
    /// Runs tried.
    package private(set) var tries = 0
    private let limit: Int

    /// - Parameter limit: the most runs to try.
    package init(
        _ invariant: Invariant, defect: Defect? = nil, allowing: Set<Allowance> = Set(Allowance.allCases),
        limit: Int = 400
    ) {
        allowances = allowing
        self.invariant = invariant
        self.defect = defect
        self.limit = limit
    }

    package mutating func shrink(_ schedule: Schedule) throws -> Schedule {
        var best = schedule
        var hasShrunk = true
        while hasShrunk, tries < limit {
            hasShrunk = try dropFaults(&best)
            if try lessTraffic(&best) { hasShrunk = true }
        }
        return best
    }

    /// Leaves out halves of the faults, then quarters, at last single ones.
    private mutating func dropFaults(_ best: inout Schedule) throws -> Bool {
        var hasShrunk = false
        var size = max(1, best.faults.count / 2)
        while !best.faults.isEmpty {
            var start = 0
            while start < best.faults.count, tries < limit {
                var fewer = best
                fewer.faults.removeSubrange(start..<min(start + size, best.faults.count))
                if try stillFails(fewer) {
                    best = fewer
                    hasShrunk = true
                } else {
                    start += size
                }
            }
            if size == 1 || tries >= limit { break }
            size /= 2
        }
        return hasShrunk
    }

    private mutating func lessTraffic(_ best: inout Schedule) throws -> Bool {
        var hasShrunk = false
        for less in [0, best.traffic / 4, best.traffic / 2, best.traffic * 3 / 4] where less < best.traffic {
            var fewer = best
            fewer.traffic = less
            guard tries < limit, try stillFails(fewer) else { continue }
            best = fewer
            hasShrunk = true
            break
        }
        return hasShrunk
    }

    private mutating func stillFails(_ schedule: Schedule) throws -> Bool {
        tries += 1
        return try SimulatedWorld(schedule, defect: defect, allowing: allowances).run()?.invariant == invariant
    }
}
