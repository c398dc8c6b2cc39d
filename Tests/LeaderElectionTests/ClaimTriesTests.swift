import LeaderElection
import Testing

struct ClaimTriesTests {
    /// A try that must be let begin.
    private func begin(_ claim: String, _ tries: inout ClaimTries) throws -> UInt64 {
        let number = tries.begin(claim)
        return try #require(number)
    }

    @Test func onlyTheLatestTryEndsWhatTheClaimHas() throws {
        var tries = ClaimTries()
        let first = try begin("a", &tries)
        let second = try begin("a", &tries)
        #expect(tries.giveUp("a", after: first) == false)
        #expect(tries.giveUp("a", after: second) == true)
        #expect(tries.giveUp("a", after: second) == false)
    }

    @Test func noTryBeginsUntilTheEndIsCertain() throws {
        var tries = ClaimTries()
        let first = try begin("a", &tries)
        #expect(tries.giveUp("a", after: first) == true)
        #expect(tries.begin("a") == nil)
        _ = try begin("b", &tries)
        tries.ended("a")
        let next = try begin("a", &tries)
        #expect(tries.giveUp("a", after: first) == false)
        #expect(tries.giveUp("a", after: next) == true)
    }

    /// A try whose claim was displaced ends nothing, also when the claim came back.
    @Test func aDisplacedTryEndsNothing() throws {
        var tries = ClaimTries()
        let first = try begin("a", &tries)
        for other in 0..<40 { _ = try begin("\(other)", &tries) }
        #expect(tries.giveUp("a", after: first) == false)
        _ = try begin("a", &tries)
        #expect(tries.giveUp("a", after: first) == false)
    }
}
