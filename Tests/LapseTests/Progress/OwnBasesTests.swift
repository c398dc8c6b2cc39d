import Testing

@testable import Lapse

/// Which bases are told again: row 116.
struct OwnBasesTests {
    @Test func whatNoMajorityHasTakenIsToldAgain() {
        var bases = OwnBases()
        let first = bases.found(100, of: "run")
        let again = bases.found(100, of: "run")
        #expect([first, again] == [100, 100])
        #expect(bases.untold == ["run": 100])
        bases.taken(100, of: "run")
        let taken = bases.found(100, of: "run")
        let smaller = bases.found(40, of: "run")
        #expect(taken == nil && smaller == nil && bases.untold.isEmpty)
    }

    @Test func whatHasGrownMeanwhileIsToldAnew() {
        var bases = OwnBases()
        _ = bases.found(100, of: "run")
        _ = bases.found(130, of: "run")
        bases.taken(100, of: "run")
        #expect(bases.untold == ["run": 130])
        bases.forget("run")
        let next = bases.found(7, of: "run")
        #expect(next == 7, "another process with its name begins anew")
    }
}
