import Testing

@testable import Lapse

/// Rules: how they are written, what they map, and what they tell about slots.
struct CompanionRuleTests {
    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test(arguments: [
        ("session:* => session-data:*", "session:{42}", "session-data:{42}"),
        ("session:*=>session-data:*", "session:", "session-data:"),
        ("* => *:data", "a b*c", "a b*c:data"),
        ("{shop}:*:timer => {shop}:*:value", "{shop}:7:timer", "{shop}:7:value"),
        ("s:{*}:t => d:{*}", "s:{x:y}:t", "d:{x:y}"),
    ])
    func mapsThereAndBack(rule: String, timer: String, companion: String) throws {
        let rule = try CompanionRule(rule)
        #expect(rule.companion(of: bytes(timer)) == bytes(companion))
        #expect(rule.timer(of: bytes(companion)) == bytes(timer))
    }

    @Test func keysAreBytes() throws {
        let rule = try CompanionRule("t:* => d:*")
        #expect(rule.companion(of: bytes("t:") + [0xff, 0, 10]) == bytes("d:") + [0xff, 0, 10])
    }

    @Test(arguments: ["session", "session-data:1", "xsession:1", ""])
    func leavesOtherKeysAlone(key: String) throws {
        #expect(try CompanionRule("session:* => session-data:*").companion(of: bytes(key)) == nil)
    }

    @Test func prefixAndSuffixDoNotOverlap() throws {
        let rule = try CompanionRule("aba*aba => d:*")
        #expect(rule.companion(of: bytes("ababa")) == nil)
        #expect(rule.companion(of: bytes("abaaba")) == bytes("d:"))
    }

    @Test(arguments: [
        "", "=>", "a*", "a* =>", "a* => b", "a => b*", "a** => b*", "a* => b* => c*", "a[1]* => b*", "a?* => b*",
        #"a\* => b*"#, "a* => a*",
    ])
    func refusesWithAReason(text: String) {
        do throws(LapseError) {
            _ = try CompanionRule(text)
            Issue.record("'\(text)' was taken for a rule")
        } catch {
            #expect("\(error)".hasPrefix("companions: '\(text)'") && "\(error)".contains(": "), "\(error)")
        }
    }

    @Test(arguments: [
        ("session:* => session-data:*", CompanionRule.SlotKinship.byKey),
        ("{a}:* => data:{a}:*", .always), ("{a}:* => {b}:*", .never), ("{a}:* => b:*", .byKey),
        ("{}{a}:* => {a}:*", .byKey), ("s:{*} => d:{*}", .byKey),
    ])
    func tellsWhatItKnowsOfSlots(rule: String, kinship: CompanionRule.SlotKinship) throws {
        #expect(try CompanionRule(rule).kinship == kinship)
    }

    @Test func aRuleThatNeverWorksInAClusterIsRefusedThere() throws {
        #expect(throws: LapseError.self) { try CompanionRules(["{a}:* => {b}:*"]).checkForCluster() }
        try CompanionRules(["session:* => session-data:*", "{a}:* => {a}-data:*"]).checkForCluster()
    }

    @Test func theFirstRuleCounts() throws {
        let rules = try CompanionRules(["a:b:* => x:*", "a:* => y:*"])
        #expect(try #require(rules.companion(of: bytes("a:b:1"))) == (bytes("x:1"), 0))
        #expect(try #require(rules.companion(of: bytes("a:c"))) == (bytes("y:c"), 1))
        #expect(rules.companion(of: bytes("b")) == nil)
        #expect(throws: LapseError.self) { _ = try CompanionRules(["a:* => x:*", "a:* => y:*"]) }
    }

    @Test func companionsNeverReachAHandler() throws {
        let rules = try CompanionRules(["session:* => session:*:data"])
        let filter = KeyFilter(match: [], ignore: [], databases: [0], companions: rules)
        #expect(filter.wants(Array("session:1".utf8), database: 0))
        #expect(!filter.wants(Array("session:1:data".utf8), database: 0))
        #expect(filter.wants(Array("other".utf8), database: 0), "a rule wants no keys away")
    }
}
