import Testing

@testable import Lapse

struct UnannouncedOrdinalsTests {
    @Test(
        arguments: [
            (1...5, 1...5, nil), (1...20, 1...9, nil), (10...12, 10...12, .silenced),
            (11...30, 11...15, .silenced), (16...30, 16...19, nil), (20...30, 20...20, .silenced),
            (21...30, 21...30, nil),
        ] as [(ClosedRange<UInt64>, ClosedRange<UInt64>, UnannouncedOrdinals.Reason?)])
    func aHoleIsTakenApartWhereItsKindChanges(
        hole: ClosedRange<UInt64>, first: ClosedRange<UInt64>, reason: UnannouncedOrdinals.Reason?
    ) {
        var unannounced = UnannouncedOrdinals()
        unannounced.add(10...15)
        unannounced.add(20...20)
        #expect(unannounced.first(of: hole) == (first, reason))
        unannounced.trim(through: 20)
        #expect(unannounced == UnannouncedOrdinals())
    }

    @Test func aSubscriptionThatIsNumberedAnewTakesItsOwnAlong() {
        var unannounced = UnannouncedOrdinals()
        unannounced.add(5...10)  // In an earlier subscription, which ended at 10.
        unannounced.add(13...15)
        unannounced.add(20...20)
        unannounced.renumber(after: 10, by: 100)
        #expect(unannounced.first(of: 5...10) == (5...10, .silenced))
        #expect(unannounced.first(of: 11...112) == (11...112, nil))
        #expect(unannounced.first(of: 113...200) == (113...115, .silenced))
        #expect(unannounced.first(of: 116...200) == (116...119, nil))
        #expect(unannounced.first(of: 120...200) == (120...120, .silenced))
        unannounced.trim(through: 119)
        #expect(unannounced.first(of: 1...200) == (1...119, nil))
    }
}
