import Testing

@testable import RedisClient

/// Which master counts when Sentinels name several at one configuration epoch: fault 101.
struct SentinelMasterTests {
    private let old = NodeAddress(host: "10.0.0.1", port: 6379)
    private let new = NodeAddress(host: "10.0.0.2", port: 6379)

    @Test func theOneThatSaysSoItself() {
        #expect(SentinelDiscovery.master(of: [old, old, new], [new: .master, old: .replica]) == new)
        #expect(SentinelDiscovery.master(of: [old, old, new], [new: .master]) == new)
        #expect(SentinelDiscovery.master(of: [new, old], [old: .master, new: .replica]) == old)
    }

    @Test func elseTheOneThatMostSentinelsName() {
        #expect(SentinelDiscovery.master(of: [old, new, new], [:]) == new)
        #expect(SentinelDiscovery.master(of: [old, old, new], [old: .master, new: .master]) == old)
        #expect(SentinelDiscovery.master(of: [], [:]) == nil)
    }
}
