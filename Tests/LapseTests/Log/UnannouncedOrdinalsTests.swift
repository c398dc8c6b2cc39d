import Testing

@testable import Lapse

struct UnannouncedOrdinalsTests {
    @Test(arguments: [
        (UInt64(1)...UInt64(5), UInt64(1)...UInt64(5), false), (1...20, 1...9, false), (10...12, 10...12, true),
        (11...30, 11...15, true), (16...30, 16...19, false), (20...30, 20...20, true), (21...30, 21...30, false),
    ])
    func aHoleIsTakenApartWhereItsKindChanges(
        hole: ClosedRange<UInt64>, first: ClosedRange<UInt64>, isUnannounced: Bool
    ) {
        var unannounced = UnannouncedOrdinals()
        unannounced.add(10...15)
        unannounced.add(20...20)
        #expect(unannounced.first(of: hole) == (first, isUnannounced))
        unannounced.trim(through: 20)
        #expect(unannounced == UnannouncedOrdinals())
    }

    @Test func aSubscriptionThatIsNumberedAnewTakesItsOwnAlong() {
        var unannounced = UnannouncedOrdinals()
        unannounced.add(5...10)  // In an earlier subscription, which ended at 10.
        unannounced.add(13...15)
        unannounced.add(20...20)
        unannounced.renumber(after: 10, by: 100)
        #expect(unannounced.first(of: 5...10) == (5...10, true))
        #expect(unannounced.first(of: 11...112) == (11...112, false))
        #expect(unannounced.first(of: 113...200) == (113...115, true))
        #expect(unannounced.first(of: 116...200) == (116...119, false))
        #expect(unannounced.first(of: 120...200) == (120...120, true))
        unannounced.trim(through: 119)
        #expect(unannounced.first(of: 1...200) == (1...119, false))
    }
}
