import Testing

@testable import Lapse

struct SoloistTests {
    private func findings(_ soloist: inout Soloist, at milliseconds: Int...) -> [Soloist.Finding] {
        milliseconds.map { soloist.watch(.milliseconds($0)) }
    }

    @Test func oneThatComesBackStaysAlone() {
        var soloist = Soloist()
        #expect(findings(&soloist, at: 0) == [.gone])
        let isFirst = soloist.go(3)
        #expect(isFirst, "the watch is called")
        for time in 1...3 {
            #expect(findings(&soloist, at: time * 5) == [.back])
            soloist.came(3)
            let isToBeCalled = soloist.go(3)
            #expect(!isToBeCalled, "the watch is there already")
        }
        #expect(soloist.replaces(1) && !soloist.replaces(3))
    }

    @Test func oneThatDoesNotComeBackIsAloneNoLonger() {
        var soloist = Soloist()
        _ = soloist.go(3)
        #expect(findings(&soloist, at: 0, 0, 1, 4, 5) == [.back, .back, .back, .back, .overdue])
        #expect(soloist.lane == nil && !soloist.replaces(1))
        #expect(findings(&soloist, at: 10) == [.gone])
        let wasAlone = soloist.came(3)
        #expect(!wasAlone)
    }

    @Test func afterOneThatDidNotComeBackNoneGoesAloneUntilHandlersEndAtOnceAgain() {
        var soloist = Soloist()
        _ = soloist.go(3)
        _ = findings(&soloist, at: 0, 5)
        _ = soloist.go(1)
        #expect(soloist.lane == nil)
        soloist.trust()
        let isToBeCalled = soloist.go(1)
        #expect(isToBeCalled && soloist.lane == 1, "whoever is alone next is watched again")
    }

    @Test func theWatchGoesWhenNobodyWorksAloneAnyMore() {
        var soloist = Soloist()
        _ = soloist.go(3)
        soloist.came(3)
        #expect(findings(&soloist, at: 0, 5, 10) == [.back, .gone, .gone])
        let isToBeCalled = soloist.go(3)
        #expect(isToBeCalled)
    }

    @Test func anotherLaneDoesNotEndIt() {
        var soloist = Soloist()
        _ = soloist.go(3)
        let wasAlone = soloist.came(1)
        #expect(!wasAlone && soloist.lane == 3)
    }
}
