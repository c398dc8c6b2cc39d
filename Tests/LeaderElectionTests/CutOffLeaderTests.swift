import LeaderElection
import LeaderElectionRedis
import Testing
import Timing

/// Replicas whose votes are elsewhere, each with a store of its own: all that keeps one from leading
/// beside the other is what is signed in Redis, from which each is cut off now and then.
@Suite struct CutOffLeaderTests {
    /// The key that the signatures stand in, by its own clock.
    private struct Key {
        var ends: [Duration?] = [nil, nil]

        mutating func sign(_ replica: Int, for life: GroupRules.Life, at now: Duration) -> GroupRules.Verdict {
            if let other = ends[1 - replica], now < other {
                return .refused(by: MemberID(id: "\(1 - replica)"), terms: "other")
            }
            ends[replica] = now + life.signature
            return .agreed
        }
    }

    private struct Replica {
        var standing = GroupRules.Standing()
        var leadsUntil: Duration?
        /// Its clock's time in one second of the key's.
        let pace: Double
        var isCutOff = false

        func time(_ now: Duration) -> Duration { now * pace }
        func leads(at now: Duration) -> Bool { leadsUntil.map { time(now) < $0 } ?? false }

        /// The lease is granted and renewed by its own store, whenever the rules let it ask.
        mutating func askItsStore(_ lease: Duration, at now: Duration) {
            let mine = time(now)
            let mayAsk = leads(at: now) ? standing.isHeld(at: mine) : standing.verdict(at: mine) == .agreed
            if mayAsk { leadsUntil = mine + lease }
        }
    }

    /// Returns how many terms began.
    private func expectOneLeader(lease: Duration, seed: UInt64) -> Int {
        var random = RandomSource.seeded(seed)
        let life = GroupRules.Life(lease: lease)
        var key = Key()
        var replicas = [0.995, 1.005].shuffled(using: &random).map { Replica(pace: $0) }
        var now = Duration.seconds(10)
        var terms = 0
        for _ in 0..<4_000 {
            now += lease / Int.random(in: 10...40, using: &random)
            let index = Int.random(in: 0...1, using: &random)
            if Int.random(in: 0..<100, using: &random) == 0 { replicas[index].isCutOff.toggle() }
            if !replicas[index].isCutOff, Bool.random(using: &random) {
                let sentAt = replicas[index].time(now)
                replicas[index].standing.take(key.sign(index, for: life, at: now), sentAt: sentAt, life: life)
            }
            let led = replicas[index].leads(at: now)
            replicas[index].askItsStore(lease, at: now)
            if !led, replicas[index].leads(at: now) { terms += 1 }
            if replicas.allSatisfy({ $0.leads(at: now) }) {
                Issue.record("two lead at \(now), seed \(seed), lease \(lease)")
                break
            }
        }
        return terms
    }

    @Test(arguments: [Duration.milliseconds(200), .seconds(1), .seconds(8), .seconds(60)])
    func twoNeverLead(lease: Duration) {
        let terms = (1...20).map { expectOneLeader(lease: lease, seed: $0) }.reduce(0, +)
        #expect(terms > 40, "the rules changed hands: \(terms)")
    }

    @Test func votesAreAskedForLongEnough() {
        for lease in [Duration.milliseconds(200), .seconds(1), .seconds(8), .seconds(3600)] {
            let life = GroupRules.Life(lease: lease)
            #expect(life.votes > lease, "one failed look ends no term")
            #expect(life.votes + lease < life.signature)
        }
    }
}
