import Testing

@testable import Lapse

struct SweepPaceTests {
    @Test("keys that find no room are worth one pass more, not one after the other")
    func noRoom() {
        var pace = SweepPace()
        pace.isHinted = true
        var renewing: [Bool] = []
        var now: Int64 = 1
        while renewing.count < 6 {
            switch pace.next(now: now) {
            case .wait(let until): now = until
            case .scan:
                pace.wantRoom()
                renewing.append(pace.isRenewing)
                pace.page(next: "0", took: 1_000, now: now)
            }
        }
        #expect(renewing == [true, true, false, true, false, true])
    }
}
