import LeaderElection
import LeaderElectionRedis
import Simulation
import Testing

/// Row 109: replicas that ask other registers, so that no majority of theirs meets.
@Suite struct OtherRegistersTests {
    /// All requests and answers take the same time, so that answers come in the order of the registers.
    private static func steadyNetwork(_: inout RandomSource, _: Int, _: LeaseMachine.Request) -> ElectionWorld.Trip {
        ElectionWorld.Trip(there: .microseconds(500), back: .microseconds(500))
    }

    /// The register that knows of the other group answers first, in the middle, or after a majority has
    /// voted.
    @Test(arguments: 0..<3) func oneRegistersWordEndsTheBallot(shared: Int) throws {
        var world = ElectionWorld(registers: 3)
        world.network = Self.steadyNetwork
        world.join(try .replica("one", registers: 1, rules: "registers=1"), asking: [shared])
        try #require(world.run(for: .seconds(1)) { $0.leader == 0 })
        world.join(try .replica("three", registers: 3, rules: "registers=3"))
        world.run(for: .seconds(60))
        #expect(world.beginnings.map(\.candidate) == [0], "the newcomer had two votes of three, and did not lead")
        #expect(world.votes(of: 1) == 0, "its votes are given back")
        #expect(world.candidates[1].machine.refusal != nil)
        guard case .refused(let text) = world.candidates[1].notes.first else {
            Issue.record("it did not say why")
            return
        }
        #expect(text.contains("registers=1") && text.contains("registers=3"), "both rules are named: \(text)")
        #expect(world.violations.isEmpty)

        world.send(.stop, to: 0)
        #expect(world.run(for: .seconds(1)) { $0.leader == 1 }, "the release of the others wakes it")
        #expect(world.candidates[1].machine.refusal == nil)
    }

    /// A word that is later than the beginning of the term ends the term.
    @Test func aLateWordEndsTheTerm() throws {
        var world = ElectionWorld(registers: 3)
        world.network = { _, candidate, request in
            let isLate = candidate == 1 && request.register == 2
            return ElectionWorld.Trip(there: .microseconds(500), back: isLate ? .milliseconds(20) : .microseconds(500))
        }
        world.join(try .replica("one", registers: 1, rules: "registers=1"), asking: [2])
        try #require(world.run(for: .seconds(1)) { $0.leader == 0 })
        world.join(try .replica("three", registers: 3, rules: "registers=3"))
        world.run(for: .seconds(20))
        #expect(world.candidates[1].terms.count < 5, "it does not try again and again")
        for term in world.candidates[1].terms { #expect(term.took < .milliseconds(20)) }
        #expect(world.candidates[1].ends.allSatisfy { $0.1 == .lost })
        #expect(world.candidates[1].ends.count == world.candidates[1].terms.count)
        #expect(world.leader == 0)
        #expect(world.candidates[1].notes.contains { if case .refused = $0 { true } else { false } })
    }

    @Test func anotherPurposeIsRefused() throws {
        var world = ElectionWorld(registers: 1)
        world.join(try .replica("service", registers: 1, purpose: "run aa at 10.0.0.1:6379"))
        try #require(world.run(for: .seconds(1)) { $0.leader == 0 })
        world.join(try .replica("other", registers: 1, purpose: "run bb at 10.0.0.2:6379"))
        world.join(try .replica("program", registers: 1, purpose: "elect"))
        world.join(try .replica("same", registers: 1, purpose: "run aa at 10.0.0.9:6379"))
        world.run(for: .seconds(10))
        let refusals = world.candidates.map(\.machine.refusal)
        #expect(refusals[1]?.contains("run aa at 10.0.0.1:6379") == true)
        #expect(refusals[1]?.contains("run bb at 10.0.0.2:6379") == true)
        #expect(refusals[2] != nil && refusals[3] == nil)
        #expect(world.beginnings.count == 1)
    }
}

@Suite struct GroupRulesTests {
    typealias Answer = GroupRules.Answer
    /// Signatures for 12 s, votes for less than 8.
    private let life = GroupRules.Life(lease: .seconds(4))
    private let other = Answer.taken(by: MemberID(id: "b", process: "1"), terms: "theirs")

    /// Whichever replica comes first to each key, and whichever keys answer: two rules are never in force
    /// together.
    @Test func twoRulesNeverAgree() {
        for first in assignments(of: [true, false], to: 3) {
            for heard in assignments(of: [true, false], to: 6) {
                func answers(_ isMine: (Bool) -> Bool, _ heard: ArraySlice<Bool>) -> [Answer?] {
                    zip(first, heard).map { first, heard in
                        guard heard else { return nil }
                        return isMine(first) ? .signed([]) : other
                    }
                }
                let one = GroupRules.verdict(answers({ $0 }, heard[0..<3]))
                let two = GroupRules.verdict(answers({ !$0 }, heard[3..<6]))
                #expect(one != .agreed || two != .agreed)
            }
        }
    }

    @Test func aMajorityDecides() {
        #expect(GroupRules.verdict([.signed([]), .failed("down"), .signed([])]) == .agreed)
        #expect(GroupRules.verdict([.signed([]), other, .signed([])]) == .agreed)
        #expect(
            GroupRules.verdict([.signed([]), other, .failed("down")])
                == .refused(by: MemberID(id: "b", process: "1"), terms: "theirs"))
        #expect(GroupRules.verdict([nil, .failed("down"), .signed([])]) == .unknown("down"))
        #expect(GroupRules.verdict([.signed([])]) == .agreed)
    }

    @Test func anAgreementEndsWithItsSignatures() {
        var standing = GroupRules.Standing()
        guard case .unknown = standing.verdict(at: .zero) else { return #expect(Bool(false)) }
        standing.take(.agreed, sentAt: .seconds(10), life: life)
        #expect(standing.verdict(at: .seconds(17)) == .agreed)
        standing.take(.unknown("down"), sentAt: .seconds(16), life: life)
        #expect(standing.verdict(at: .seconds(17)) == .agreed, "its signatures are still there")
        #expect(standing.verdict(at: .seconds(18)) == .unknown("down"))
        let refusal = GroupRules.Verdict.refused(by: MemberID(id: "b"), terms: "theirs")
        standing.take(.agreed, sentAt: .seconds(20), life: life)
        standing.take(refusal, sentAt: .seconds(21), life: life)
        #expect(standing.verdict(at: .seconds(21)) == refusal)
        standing.take(.unknown("down"), sentAt: .seconds(22), life: life)
        #expect(standing.verdict(at: .seconds(40)) == refusal, "silence lifts no refusal")
        standing.take(.agreed, sentAt: .seconds(41), life: life)
        #expect(standing.verdict(at: .seconds(42)) == .agreed)
    }

    /// A server that takes no writes takes none of others either.
    @Test func aTermOutlivesRefusedWritesAndNotItsSignature() {
        #expect(GroupRules.verdict([.unsigned("OOM"), .signed([]), nil]) == .kept("OOM"))
        #expect(GroupRules.verdict([.unsigned("OOM"), nil, nil]) == .unknown("OOM"))
        var standing = GroupRules.Standing()
        standing.take(.agreed, sentAt: .seconds(10), life: life)
        #expect(standing.isHeld(at: .seconds(17)) && !standing.isHeld(at: .seconds(18)))
        standing.take(.kept("OOM"), sentAt: .seconds(16), life: life)
        #expect(standing.isHeld(at: .seconds(23)) && standing.verdict(at: .seconds(18)) == .kept("OOM"))
        standing.take(.unknown("down"), sentAt: .seconds(23), life: life)
        #expect(!standing.isHeld(at: .seconds(24)))
        standing.take(.kept("OOM"), sentAt: .seconds(24), life: life)
        #expect(!standing.isHeld(at: .seconds(25)), "others may have signed meanwhile")
    }

    @Test func signaturesStandAsLongAsALeaseMay() {
        let refusal = GroupRules.Verdict.refused(by: MemberID(id: "b"), terms: "theirs")
        var standing = GroupRules.Standing()
        standing.take(refusal, sentAt: .seconds(1), life: life)
        #expect(standing.mayWithdraw(at: .seconds(1)), "it has held nothing")
        standing.take(.agreed, sentAt: .seconds(10), life: life)
        #expect(!standing.mayWithdraw(at: .seconds(11)))
        standing.take(refusal, sentAt: .seconds(12), life: life)
        standing.take(refusal, sentAt: .seconds(14), life: life)
        #expect(!standing.isHeld(at: .seconds(14)) && !standing.mayWithdraw(at: .seconds(21)))
        #expect(standing.mayWithdraw(at: .seconds(22)))
    }

    @Test func theKeysAreTheSameWhateverTheRegistersAre() {
        let places = ElectionKeys.rules(inCluster: true, name: "n").map(\.rules)
        #expect(places.count == 3 && ElectionKeys.rules(inCluster: false, name: "n").map(\.rules) == [places[1]])
        for count in stride(from: 1, through: 15, by: 2) {
            #expect(LockTags.tags(count)[count / 2] == LockTags.tags(1)[0])
        }
    }

    @Test func membersOfOneIDDiffer() {
        let one = MemberID(id: "a#b")
        #expect(MemberID("\(one)") == one && one != MemberID(id: "a#b"))
        #expect(MemberID("old") == MemberID(id: "old", process: ""))
        #expect("\(MemberID("old"))" == "old")
    }
}

@Suite struct LeasePurposeTests {
    @Test func whatIsNotKnownAgrees() {
        let texts = ["", "elect", "run", "run a1 at h:1", "run b2 at h:1", "run a1"]
        let agreeing = texts.map { left in texts.filter { LeasePurpose(left).agrees(with: LeasePurpose($0)) } }
        #expect(agreeing[0] == texts)
        #expect(agreeing[1] == ["", "elect"])
        #expect(agreeing[2] == ["", "run", "run a1 at h:1", "run b2 at h:1", "run a1"])
        #expect(agreeing[3] == ["", "run", "run a1 at h:1", "run a1"])
        #expect(texts.map { LeasePurpose($0).description } == texts)
    }

    /// One that starts waits for what others may know; one that knows puts it back.
    @Test func aForgottenDeploymentKeepsItsID() {
        var known = DeploymentIdentity(candidate: "aa")
        #expect(known.proposal(at: .zero).isEmpty)
        known.take("", at: .zero)
        #expect(known.proposal(at: .seconds(2)).isEmpty)
        #expect(known.proposal(at: .seconds(3)) == "aa")
        known.take("aa", at: .seconds(3))
        var fresh = DeploymentIdentity(candidate: "bb")
        fresh.take("", at: .seconds(10))
        #expect(known.proposal(at: .seconds(10)) == "aa")
        fresh.take(known.proposal(at: .seconds(11)), at: .seconds(11))
        #expect(fresh.id == "aa" && fresh.proposal(at: .seconds(60)) == "aa")
        fresh.take("hostile \n text that is far too long to be the ID of a deployment", at: .seconds(61))
        #expect(fresh.id.map { $0.count <= 32 && !$0.contains(" ") } == true)
    }
}
