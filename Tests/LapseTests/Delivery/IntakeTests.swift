import LeaderElection
import RedisClient
import Testing

@testable import Lapse

/// What a leader asks its peers for, found by the simulation.
struct IntakeTests {
    private let logs = LogBook(limitBytes: 1 << 20, limitAge: .seconds(60))
    private let node = NodeAddress(host: "10.0.0.1", port: 6379)

    private func intake(_ progress: [Progress] = [], token: UInt64 = 7) -> Intake {
        var intake = Intake(
            logs: logs, filter: KeyFilter(match: ["k:*"], ignore: [], databases: [0]), lanes: 1)
        let master = Topology.Node(id: "m", address: node, role: .master)
        intake.note(TopologyPoll(topology: Topology(mode: .standalone, nodes: [master]), ownWord: [:], number: 0))
        intake.begin(
            token: FencingToken(rawValue: token),
            progress: Dictionary(uniqueKeysWithValues: progress.map { ($0.runID, $0) }), now: 1_000)
        return intake
    }

    private func heard(_ ordinal: UInt64, _ key: String) -> HeardExpiration {
        HeardExpiration(ordinal: ordinal, database: 0, receivedAt: 1_000, key: Array(key.utf8))
    }

    @Test func whatThePredecessorLeftOfAProcessNeverHeardIsAskedFor() throws {
        var intake = intake([
            Progress(
                runID: "gone", node: "10.0.0.1:6379", base: 0, cursor: Cursor(through: 5, pending: [3]), token: 1,
                write: 1)
        ])
        let none = intake.take(1)
        #expect(none.isEmpty)
        let hole = try #require(intake.takeNews().holes.first)
        #expect(hole.runID == "gone" && hole.ordinals == 3...3 && !hole.isSurvey)
        _ = logs["gone"]?.insert([heard(3, "k:3")], look: 0, now: 1_000)
        let isFilled = intake.settle(hole) != nil
        #expect(isFilled)
        let work = intake.take(1)
        #expect(work.map(\.ordinal) == [3])
        // And what lay behind its end, of which nobody knows whether there was anything.
        _ = intake.take(1)
        let survey = try #require(intake.takeNews().holes.first)
        #expect(survey.isSurvey && survey.ordinals.lowerBound == 6)
        _ = logs["gone"]?.insert([heard(6, "k:6")], look: 0, now: 1_000)
        _ = intake.settle(survey)
        let behind = intake.take(1)
        #expect(behind.map(\.ordinal) == [6])
    }

    @Test func theAnswerToAFormerTermIsNotThisTerms() throws {
        let progress = Progress(
            runID: "gone", node: "10.0.0.1:6379", base: 0, cursor: Cursor(through: 5, pending: [3]), token: 1,
            write: 1)
        var former = intake([progress], token: 7)
        _ = former.take(1)
        let old = try #require(former.takeNews().holes.first)
        var present = intake([progress], token: 8)
        _ = present.take(1)
        let new = try #require(present.takeNews().holes.first)
        let isFilledByOld = present.settle(old) != nil
        let isFilledByNew = present.settle(new) != nil
        #expect(!isFilledByOld && isFilledByNew)
    }

    @Test func aPendingNumberOfAnUnwantedKeyIsPassedOver() throws {
        let log = logs.log(of: "gone", at: node)
        _ = log.insert([heard(3, "{lapse-12}:x:lock")], look: 0, now: 1_000)
        var intake = intake([
            Progress(
                runID: "gone", node: "10.0.0.1:6379", base: 0, cursor: Cursor(through: 5, pending: [3]), token: 1,
                write: 1)
        ])
        let none = intake.take(1)
        let news = intake.takeNews()
        #expect(none.isEmpty)
        #expect(news.ignored == [node: 1])
        #expect(intake.cursor("gone")?.pending.isEmpty == true)
    }

    @Test(arguments: [
        (true, false, LaneStep.begin), (false, false, .wait), (true, true, .leave), (false, true, .leave),
    ])
    func onlyTheEndOfATermSendsALaneAway(leaseIsValid: Bool, mustEnd: Bool, step: LaneStep) {
        #expect(LaneStep(leaseIsValid: leaseIsValid, mustEnd: mustEnd) == step)
    }
}
