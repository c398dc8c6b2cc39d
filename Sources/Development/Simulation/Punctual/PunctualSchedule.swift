import LeaderElection

/// Everything that a run about punctuality is made from. Drawn from a seed; a shrunk one has fewer
/// faults.
package struct PunctualSchedule: Sendable {
    /// What every server of a run answers to PEXPIRETIME.
    package enum Deadlines: String, Sendable, CaseIterable {
        case told, unknown, refused
    }

    package let seed: UInt64
    package let shards: Int
    package let keys: Int
    package let deadlines: Deadlines
    /// What a master's deadlines may take; nil: more than all of them need.
    package let bytes: Int?
    /// Hints taken in a second.
    package let hints: Int
    /// So few questions and nudges go in one write that some are left for the next.
    package let isSplit: Bool
    /// A demoted master says of overdue keys that they are gone, as one outside of a cluster does; else it
    /// redirects.
    package let demotedSaysGone: Bool
    /// The servers expire a key now and then by themselves.
    package let expiresItself: Bool
    /// Expirations are heard up to a second and a half late.
    package let isFeedLate: Bool
    package var faults: [PlannedPunctualFault]
    /// The faults and the writes end here; the rest of the run heals.
    package let faultsEnd = Duration.seconds(20)

    package init(seed: UInt64) {
        self.seed = seed
        // Neighbouring seeds of SplitMix64 would give shifted copies of one stream.
        var mix = RandomSource.seeded(seed ^ 0x70AC_7A11_7E57_0001)
        var random = RandomSource.seeded(mix.next())
        let shards = 2 + random.pick(2)
        self.shards = shards
        let keys = Int.random(in: 16...48, using: &random)
        self.keys = keys
        deadlines = [.told, .told, .unknown, .refused][random.pick(4)]
        // Some ten keys.
        bytes = random.chance(20) ? 640 : nil
        hints = random.chance(25) ? 40 : 250_000
        isSplit = random.chance(25)
        demotedSaysGone = random.chance(40)
        expiresItself = random.chance(25)
        faults = (0..<Int.random(in: 3...12, using: &random)).map { number in
            PlannedPunctualFault(
                at: random.milliseconds(1_000...18_000), fault: Self.draw(shards, keys, &random), number: number)
        }
        isFeedLate = random.chance(20)
        faults.sort { ($0.at, $0.number) < ($1.at, $1.number) }
    }

    private static func draw(_ shards: Int, _ keys: Int, _ random: inout RandomSource) -> PunctualFault {
        let shard = random.pick(shards)
        switch random.pick(18) {
        case 0: return .hintsLate(for: random.milliseconds(500...4_000))
        case 1, 2:
            return .hintsCut(shard: shard, noticedAfter: random.milliseconds(random.chance(50) ? 0...1 : 0...3_000))
        case 3: return .forged(shard: shard, count: Int.random(in: 5...120, using: &random))
        case 4: return .storm(key: random.pick(keys), for: random.milliseconds(500...2_500))
        case 5: return .burst(in: random.milliseconds(300...4_000))
        case 6, 7:
            let size = random.milliseconds(50...3_000)
            return .clock(shard: shard, by: random.chance(50) ? size : .zero - size)
        case 8, 17:
            return .pause(shard: shard, for: random.milliseconds(random.chance(70) ? 100...2_500 : 2_500...6_000))
        case 9: return .stall(shard: shard, for: random.milliseconds(100...3_500))
        case 10: return .cut(shard: shard)
        case 11: return .slow(for: random.milliseconds(500...3_000))
        case 12, 13:
            return .move(
                slot: random.pick(PunctualWorld.slots), further: 1 + random.pick(shards - 1),
                for: random.chance(50) ? random.milliseconds(500...3_000) : nil)
        case 14:
            return .failover(
                shard: shard, pause: random.milliseconds(20...1_500), viewLag: random.milliseconds(0...1_500))
        case 15:
            return .crash(
                shard: shard, promotedAfter: random.milliseconds(500...2_500), viewLag: random.milliseconds(0...1_500))
        default: return .leader(after: random.milliseconds(100...2_500))
        }
    }

    /// The same with only the faults of these numbers.
    package func only(_ numbers: [Int]) -> PunctualSchedule {
        var fewer = self
        fewer.faults = faults.filter { numbers.contains($0.number) }
        return fewer
    }

    /// The same with no fault that is not needed for what `fails`.
    package func shrunk(while fails: (PunctualSchedule) -> Bool) -> PunctualSchedule {
        var best = self
        var index = 0
        while index < best.faults.count {
            var fewer = best
            fewer.faults.remove(at: index)
            if fails(fewer) {
                best = fewer
                index = 0
            } else {
                index += 1
            }
        }
        return best
    }
}
