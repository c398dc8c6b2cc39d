import LeaderElectionRedis
import Testing

/// Row 66: a duplicate is named, and what a dead process left is not taken for one.
@Suite struct LivingOthersTests {
    private static let dead = GroupRules.Other(member: MemberID(id: "a", process: "1"), settings: "")
    private static let duplicate = GroupRules.Other(member: MemberID(id: "a", process: "2"), settings: "")

    private static func seen(_ other: GroupRules.Other, _ ends: Int64) -> GroupRules.Seen { .init(other, ends: ends) }

    @Test func oneThatSignsNoMoreIsNeverNamed() {
        var others = GroupRules.LivingOthers()
        for _ in 0..<10 { #expect(others.look([Self.seen(Self.dead, 5000)], inKey: 0).isEmpty) }
    }

    @Test func oneThatSignsIsNamedAtTheSecondLook() {
        var others = GroupRules.LivingOthers()
        #expect(others.look([Self.seen(Self.dead, 5000), Self.seen(Self.duplicate, 5500)], inKey: 0).isEmpty)
        #expect(
            others.look([Self.seen(Self.dead, 5000), Self.seen(Self.duplicate, 6500)], inKey: 0) == [Self.duplicate])
    }

    /// Keys on several servers are told apart: their clocks differ.
    @Test func anotherKeysTimeIsNoSign() {
        var others = GroupRules.LivingOthers()
        #expect(others.look([Self.seen(Self.dead, 5000)], inKey: 0).isEmpty)
        #expect(others.look([Self.seen(Self.dead, 9000)], inKey: 1).isEmpty)
        #expect(others.look([Self.seen(Self.dead, 5000)], inKey: 0).isEmpty)
    }

    /// A promoted server may have an earlier signature; a server's clock may be set back.
    @Test func anEarlierEndIsNoSignAndTheNextOneIs() {
        var others = GroupRules.LivingOthers()
        #expect(others.look([Self.seen(Self.duplicate, 9000)], inKey: 0).isEmpty)
        #expect(others.look([Self.seen(Self.duplicate, 4000)], inKey: 0).isEmpty)
        #expect(others.look([Self.seen(Self.duplicate, 5000)], inKey: 0) == [Self.duplicate])
    }

    /// What ran out meanwhile is forgotten: with every crash comes another.
    @Test func whatIsGoneIsForgotten() {
        var others = GroupRules.LivingOthers()
        #expect(others.look([Self.seen(Self.dead, 5000)], inKey: 0).isEmpty)
        #expect(others.look([], inKey: 0).isEmpty)
        #expect(others.look([Self.seen(Self.dead, 6000)], inKey: 0).isEmpty)
    }
}
