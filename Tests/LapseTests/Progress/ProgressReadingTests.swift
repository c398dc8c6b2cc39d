import LeaderElection
import NIOCore
import RESP
import Testing

@testable import Lapse

/// What registers answer, and what a majority of them amounts to.
struct ProgressReadingTests {
    private static func bulk(_ text: String) -> RESPValue { .bulk(ByteBuffer(string: text)) }

    private func answer(_ fields: [String: String], members: [String: String] = [:], refusal: String = "") -> RESPValue
    {
        .array([
            .array(fields.flatMap { [Self.bulk($0.key), Self.bulk($0.value)] }),
            .array(members.flatMap { [Self.bulk($0.key), Self.bulk($0.value)] }), .integer(1_000), Self.bulk(refusal),
        ])
    }

    private func word(_ fields: [String: String]) throws -> RegisterWord {
        try #require(RegisterWord(answer(fields), tokenField: "token"))
    }

    @Test func anAnswerIsReadFieldByField() throws {
        let reply = answer(
            [
                "log:a": "7 3 90 5 10.0.0.1:6379 80,85-87", "account:a": "7 3 1 2 3 4 5 6 7", "token": "8",
                "write": "3", "term": "4", "rules": "ttl=8", "base:a": "v1 5", "store": "v1 2 etcd:/lapse",
            ], members: ["here": "999", "gone": "990"], refusal: "OOM command not allowed")
        let word = try #require(RegisterWord(reply, tokenField: "token"))
        #expect(word.entries["a"]?.cursor == Cursor(through: 90, pending: [80, 85, 86, 87]))
        #expect(word.entries["a"]?.epoch == 2)
        #expect(word.bases == ["a": 5] && word.members == ["here"] && word.fence == 8)
        #expect(word.origin == ProgressOrigin(epoch: 2, store: "etcd:/lapse"))
        #expect(word.refusal == "OOM command not allowed" && word.complaints.isEmpty)
    }

    @Test("row 86: the last build's forms are read as they were; its own text is what that build reads")
    func theFormatBefore() throws {
        let word = try word(["log:ab12": "1764000000000 17 1234 0 [::1]:6379 -", "token": "1764000000000"])
        let entry = try #require(word.entries["ab12"])
        #expect(entry.node == "[::1]:6379" && entry.write == 17 && entry.epoch == 0)
        #expect(entry.text == "1764000000000 17 1234 0 [::1]:6379 -")
        let account = try #require(PublishedAccount(field: "account:ab12", text: "7 8 21 1 2 3 4 5 6"))
        #expect(account.account.ignored == 6 && account.account.unannounced == 0)
    }

    @Test(
        "rows 51, 86: what another format says, or cannot be true, counts as absent and is named",
        arguments: [
            ("log:a", "v2 7 3 90 5 n - more", "format 2"), ("log:a", "nonsense", "makes no sense"),
            ("store", "v9 1 2 3", "format 9"), ("store", "v1 99999999999999999999 x", "format 1"),
            ("log:a", "7 3 9007199254740991 5 n -", "makes no sense"),
            ("log:a", "7 3 90 2251799813685248 n -", "makes no sense"), ("base:a", "v1 9007199254740991", "format 1"),
            ("base:a", "v2 5", "format 2"), ("base:a", "v1 18446744073709551615", "format 1"),
        ])
    func unknownFormats(_ field: String, _ text: String, _ reason: String) throws {
        let word = try word([field: text, "log:b": "7 3 90 5 n -"])
        #expect(word.entries["a"] == nil && word.bases.isEmpty && word.origin == nil)
        #expect(word.entries["b"] != nil)
        #expect(word.complaints.count == 1 && word.complaints[0].hasPrefix(field))
    }

    @Test(arguments: [
        RESPValue.null, .integer(1), .array([]), .array([.array([]), .array([]), .integer(-1)]),
        .array([.array([]), .array([]), .integer(.max)]),
    ])
    func answersThatMakeNoSense(_ answer: RESPValue) { #expect(RegisterWord(answer, tokenField: "token") == nil) }

    @Test("row 119: a dead leader's word that came late to one register does not make followers forget")
    func onlyTheLastLeadersWordCounts() throws {
        let old = try word(["log:a": "7 9 500 0 n -", "token": "7"])
        let new = try word(["log:a": "7 8 400 0 n 350", "log:b": "8 1 20 0 n -", "token": "8"])
        let reading = try #require(ProgressReading([old, new], of: 3))
        let late = try #require(reading["a"])
        #expect(late.cursor.through == 500, "still the newest word on it")
        #expect(reading.forgettable("a") == nil)
        #expect(reading.forgettable("b") == nil, "one register of three holds it: the next leader may read the others")
        let agreed = try #require(ProgressReading([new, new], of: 3))
        #expect(agreed.forgettable("a") == nil && agreed.forgettable("b") == 20)
        // The leader's last word reached one register, the one before it two.
        let last = try word(["log:a": "7 10 620 0 n -", "token": "7"])
        let split = try #require(ProgressReading([last, old, old], of: 3))
        #expect(split["a"]?.cursor.through == 620)
        #expect(split.forgettable("a") == 500)
        #expect(ProgressReading([old], of: 3) == nil)
    }

    @Test("row 111: another store's tokens are told from this one's, by name or by size")
    func contradictions() throws {
        let own = try word(["log:a": "100 9 500 0 n -", "token": "100", "store": "v1 0 redis"])
        let reading = try #require(ProgressReading([own], of: 1))
        #expect(reading.contradiction(of: 101, store: "redis") == nil)
        #expect(reading.contradiction(of: 100, store: "redis") == nil)
        #expect(reading.contradiction(of: 99, store: "redis") == .forgotten(token: 100))
        #expect(reading.contradiction(of: 101, store: "etcd:/x") == .moved(from: "redis"))
        // Written by the last build, which kept no name, under a token of another field.
        let unnamed = try #require(
            ProgressReading([try word(["log:a": "1764000000000 9 500 0 n -", "token": "12"])], of: 1))
        #expect(unnamed.contradiction(of: 12, store: "etcd:/x") == .moved(from: nil))
    }

    @Test("row 111: of two epochs the later one counts, whatever the tokens")
    func epochs() throws {
        let before = try word(["log:a": "1764000000000 9 500 0 n -", "token": "1764000000000", "store": "v1 0 redis"])
        let after = try word(["log:a": "12 1 510 0 n -", "token": "12", "store": "v1 1 etcd:/x"])
        for words in [[before, after], [after, before]] {
            let reading = try #require(ProgressReading(words, of: 3))
            #expect(reading["a"]?.cursor.through == 510)
            #expect(reading.token == 12)
            #expect(reading.contradiction(of: 13, store: "etcd:/x") == nil)
        }
    }
}
