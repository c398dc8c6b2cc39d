import Testing

@testable import Lapse

/// What a lane does next, by the lease and the end of its term.
struct LaneStepTests {
    @Test(arguments: [
        (true, false, LaneStep.begin), (false, false, .wait), (true, true, .leave), (false, true, .leave),
    ])
    func onlyTheEndOfATermSendsALaneAway(leaseIsValid: Bool, mustEnd: Bool, step: LaneStep) {
        #expect(LaneStep(leaseIsValid: leaseIsValid, mustEnd: mustEnd) == step)
    }
}
