import Testing

@testable import Lapse

struct HintEvidenceTests {
    @Test("what the server is set to decides, and a look that fails changes nothing")
    func knownFlags() {
        var evidence = HintEvidence(begunAt: .zero)
        evidence.looked(flags: "Ex", hasHeard: false)
        #expect(!evidence.areHeard)
        evidence.looked(flags: nil, hasHeard: false)
        #expect(!evidence.areHeard)
        #expect(!evidence.isInDoubt(now: .seconds(600)), "the missing class has a line of its own")
        evidence.looked(flags: "Exg", hasHeard: false)
        evidence.looked(flags: nil, hasHeard: false)
        #expect(evidence.areHeard)
    }

    @Test("hints of a server that the feed does not listen to any more are let go, if that lasts")
    func elsewhere() {
        var evidence = HintEvidence(begunAt: .zero)
        let feeds = ["a", "b", "b", "a", "b", nil, "b", "b"]
        let elsewhere = feeds.map { evidence.isElsewhere(own: "a", feed: $0) }
        #expect(elsewhere == [false, false, false, false, false, false, false, true])
    }

    @Test("while the flags are unknown only a hint proves that there are any, and after a minute that is said")
    func unknownFlags() {
        var evidence = HintEvidence(begunAt: .seconds(1_000))
        evidence.looked(flags: nil, hasHeard: false)
        #expect(!evidence.areHeard)
        #expect(!evidence.isInDoubt(now: .seconds(1_059)))
        #expect(evidence.isInDoubt(now: .seconds(1_060)))
        evidence.looked(flags: nil, hasHeard: true)
        #expect(evidence.areHeard)
        #expect(!evidence.isInDoubt(now: .seconds(1_060)))
    }
}
