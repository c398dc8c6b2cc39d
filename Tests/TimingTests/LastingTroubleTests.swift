import Testing
import Timing

@Suite struct LastingTroubleTests {
    @Test func aTroubleIsToldOnceItLastsAndAgainEachMinute() {
        var trouble = LastingTrouble()
        #expect(trouble.look(true, now: .seconds(1)) == .nothing)
        #expect(trouble.look(true, now: .seconds(2)) == .nothing)
        #expect(trouble.look(true, now: .seconds(3)) == .tell)
        #expect(trouble.isTold)
        #expect(trouble.look(true, now: .seconds(62)) == .nothing)
        #expect(trouble.look(true, now: .seconds(63)) == .tell)
        #expect(trouble.look(false, now: .seconds(64)) == .over)
        #expect(trouble.look(false, now: .seconds(65)) == .nothing)
        #expect(trouble.look(true, now: .seconds(66)) == .nothing, "it begins anew")
        #expect(trouble.look(true, isRefusal: true, now: .seconds(66)) == .tell, "a refusal does not pass by itself")
    }
}
