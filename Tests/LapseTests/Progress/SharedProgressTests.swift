import LeaderElection
import Testing

@testable import Lapse

/// What a leader tells over the control channel while the registers refuse to write.
struct SharedProgressTests {
    private func progress(_ runID: String, through: UInt64 = 9, pending: PendingOrdinals = [3]) -> Progress {
        Progress(
            runID: runID, node: "10.0.0.1:6379", base: 4, cursor: Cursor(through: through, pending: pending), token: 7,
            write: 2)
    }

    @Test func comesBackAsItWasSent() throws {
        let message = SharedProgress(leader: "host:1", token: 7, entries: [progress("a"), progress("b")])
        #expect(SharedProgress(message.text) == message)
        #expect(GroupMessage(message.text) == .progress(message.text))
    }

    @Test(arguments: [
        "", "progress:v1:", "progress:v1:7", "progress:v1:x:a", "progress:v1:7:a\nrun",
        "progress:v1:7:a\nrun 7 2 9 4 n x",
        "progress:v1:7:a\nrun 8 2 9 4 n -", "progress:v1:18446744073709551615:a",
        "progress:v1:7:a\nrun 7 2 9 4 n 1-18446744073709551615", "progress:v2:7:a\nrun 7 2 9 4 n -",
        "progress:v1:7:" + String(repeating: "a", count: 65_536),
    ])
    func whatNoLeaderWroteIsNotRead(_ text: String) { #expect(SharedProgress(text) == nil) }

    @Test("many logs take several messages of bounded size, and none always waits for the others")
    func isBounded() {
        let long = PendingOrdinals((0..<1000).map { UInt64($0) * 3 })
        let all = (0..<200).map { progress("run-\($0)", pending: long) }
        var told: Set<String> = []
        for turn in 0..<200 where told.count < 200 {
            let messages = SharedProgress.messages(leader: "a", token: 7, all, turn: turn)
            #expect(messages.count <= 8)
            #expect(messages.allSatisfy { $0.text.utf8.count <= SharedProgress.limitBytes })
            told.formUnion(messages.flatMap(\.entries).map(\.runID))
        }
        #expect(told.count == 200)
        #expect(SharedProgress.messages(leader: "a", token: 7, [], turn: 3).isEmpty)
    }

    @Test(
        "only the holder's own token counts",
        arguments: [
            (["a:1", "a:1", nil], [9, 9, 0], true), (["a:1", nil, nil], [9, 9, 9], false),
            (["a:1", "b:1", "a:1"], [9, 10, 9], false), (["b:1", "b:1", "b:1"], [9, 9, 9], false),
        ] as [([String?], [UInt64], Bool)])
    func holders(_ holders: [String?], _ tokens: [UInt64], _ isHolder: Bool) {
        let seen = zip(holders, tokens).map {
            Observation(holder: $0, ttl: .seconds(1), term: 1, token: FencingToken(rawValue: $1))
        }
        #expect(ProgressListener.isHolder("a", 9, seen, of: 3) == isHolder)
    }

    @Test func messagesOfTheGroup() {
        let question = NumberQuestion(nonce: "n", runID: "run", asker: "host:1:x")
        for message in [GroupMessage.check(question), .checked(nonce: "n", replica: "host:1:x")] {
            #expect(GroupMessage(message.text) == message)
        }
        #expect(GroupMessage("check:v2:n:run:a") == .unknown("check:v2"))
        #expect(GroupMessage("progress:v9:7:a") == .unknown("progress:v9"))
        for text in [
            "released", "mark:a:1", "repair:1:r:1-2:a", "check:v1", "check:v1:n:run", "checked:v1:n", "checks:v1:a:b:c",
        ] {
            #expect(GroupMessage(text) == nil, "\(text)")
        }
    }
}
