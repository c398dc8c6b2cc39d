import Testing

@testable import Lapse

struct UnsettledValuesTests {
    private let timer = ReconcileMachine.Orphan(timer: Array("session:1".utf8), database: 0)

    /// As if the key had been received at `time`.
    private func handOut(
        _ values: inout UnsettledValues, _ value: String, _ origin: ExpirationOrigin, at time: UInt64
    ) -> Bool {
        values.handOut(Array(value.utf8), of: timer, origin: origin, receivedAt: time)
    }

    @Test func aSweepHandsOutOnce() {
        var values = UnsettledValues()
        #expect(handOut(&values, "a", .live, at: 1))
        #expect(!handOut(&values, "a", .reconcile, at: 2))
        #expect(!handOut(&values, "a", .reconcile, at: 3))
        var swept = UnsettledValues()
        #expect(handOut(&swept, "a", .reconcile, at: 1))
        #expect(!handOut(&swept, "a", .reconcile, at: 2))
    }

    @Test func whatIsTriedAgainOrGivenBackIsStillTheSame() {
        var values = UnsettledValues()
        for _ in 0..<3 { #expect(handOut(&values, "a", .reconcile, at: 1)) }
    }

    @Test func aNewValueOrAnExpirationIsNews() {
        var values = UnsettledValues()
        #expect(handOut(&values, "a", .reconcile, at: 1))
        #expect(handOut(&values, "b", .reconcile, at: 2))
        #expect(!handOut(&values, "b", .reconcile, at: 3))
        for origin in [ExpirationOrigin.live, .takeover, .repair] { #expect(handOut(&values, "b", origin, at: 4)) }
    }

    @Test func whatWasSettledOrIsOfAnotherTermIsForgotten() {
        var values = UnsettledValues()
        #expect(handOut(&values, "a", .live, at: 1))
        values.settle(timer)
        #expect(handOut(&values, "a", .reconcile, at: 2))
        values.begin()
        #expect(handOut(&values, "a", .reconcile, at: 3))
    }

    @Test func otherTimersAreOthers() {
        var values = UnsettledValues()
        #expect(handOut(&values, "a", .live, at: 1))
        let elsewhere = ReconcileMachine.Orphan(timer: timer.timer, database: 1)
        let isNews = values.handOut(Array("a".utf8), of: elsewhere, origin: .reconcile, receivedAt: 2)
        #expect(isNews)
    }

    @Test func whatHasNoPlaceIsHandedOutAllTheSame() {
        var values = UnsettledValues(limit: 0)
        #expect(handOut(&values, "a", .live, at: 1))
        #expect(handOut(&values, "a", .reconcile, at: 2))
    }
}
