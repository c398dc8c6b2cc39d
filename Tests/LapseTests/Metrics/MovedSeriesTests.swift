import RedisClient
import Testing

@testable import Lapse

/// Row 60: the series of a node go with it.
struct MovedSeriesTests {
    private let former = NodeAddress(host: "10.0.0.1", port: 6379)
    private let present = NodeAddress(host: "redis-1", port: 6379)

    @Test func whatIsToldOfAFormerAddressCountsAtThePresentOne() {
        let metrics = ProcessorMetrics()
        metrics.subscription(former, up: true)
        metrics.follow([former: present])
        #expect(metrics.addresses == [present])
        metrics.gap(former, lost: 1, repaired: 0)
        metrics.subscription(former, up: false)
        metrics.deadlines(former, kept: 0, uncovered: 0)
        #expect(metrics.addresses == [present])
    }

    @Test func theEndOfANodeThatHasLeftBringsNoSeriesBack() {
        let metrics = ProcessorMetrics()
        metrics.subscription(former, up: true)
        metrics.forget([former])
        metrics.subscription(former, up: false)
        metrics.deadlines(former, kept: 0, uncovered: 0)
        #expect(metrics.addresses.isEmpty)
    }
}
