import Testing

@testable import Lapse

struct SoloistTests {
    private func findings(_ soloist: inout Soloist, _ count: Int) -> [Soloist.Finding] {
        (0..<count).map { _ in soloist.watch() }
    }

    @Test func oneThatComesBackStaysAlone() {
        var soloist = Soloist()
        #expect(findings(&soloist, 1) == [.gone])
        let isFirst = soloist.go(3)
        #expect(isFirst, "the watch is called")
        for _ in 0..<3 {
            #expect(findings(&soloist, 1) == [.back])
            soloist.came(3)
            let isToBeCalled = soloist.go(3)
            #expect(!isToBeCalled, "the watch is there already")
        }
        #expect(soloist.replaces(1) && !soloist.replaces(3))
    }

    @Test func oneThatDoesNotComeBackIsAloneNoLonger() {
        var soloist = Soloist()
        _ = soloist.go(3)
        #expect(findings(&soloist, 2) == [.back, .overdue])
        #expect(soloist.lane == nil && !soloist.replaces(1))
        #expect(findings(&soloist, 1) == [.gone])
        let wasAlone = soloist.came(3)
        #expect(!wasAlone)
        let isToBeCalled = soloist.go(1)
        #expect(isToBeCalled, "whoever is alone next is watched again")
    }

    @Test func theWatchGoesWhenNobodyWorksAloneAnyMore() {
        var soloist = Soloist()
        _ = soloist.go(3)
        soloist.came(3)
        #expect(findings(&soloist, 3) == [.back, .gone, .gone])
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
