import Testing

@testable import Lapse
@testable import RedisClient

/// What a node announces after a silence is believed only once its role is settled.
struct NodeLogDoubtTests {
    private func log() -> NodeLog {
        NodeLog(
            runID: "run", address: NodeAddress(host: "10.0.0.1", port: 6379), limitBytes: 1 << 20,
            limitAge: .seconds(60))
    }

    @Test func theDoubtOutlivesTheSubscription() {
        let log = log()
        log.subscriptionBegan()
        log.doubt()
        log.subscriptionEnded(now: 1)
        log.subscriptionBegan()
        #expect(log.openSilence == 1, "so the next feed has to settle it")
    }

    @Test("a node that falls silent again while the first silence is looked into stays in doubt")
    func aLookSettlesOnlyWhatItLookedInto() throws {
        let log = log()
        log.doubt()
        let first = try #require(log.openSilence)
        log.doubt()
        log.decide(look: 7, about: first)
        let second = try #require(log.openSilence)
        log.decide(look: 8, about: second)
        #expect(log.openSilence == nil)
    }
}
