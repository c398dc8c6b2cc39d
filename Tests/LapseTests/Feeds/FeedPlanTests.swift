import RedisClient
import Testing

@testable import Lapse

/// Which addresses are listened to, and for how long: row 60.
struct FeedPlanTests {
    private let old = NodeAddress(host: "10.0.0.1", port: 6379)
    private let new = NodeAddress(host: "redis-1", port: 6379)
    private let other = NodeAddress(host: "10.0.0.2", port: 6379)
    private var plan = FeedPlan()

    private func cluster(_ address: NodeAddress, aliases: [NodeAddress: NodeAddress] = [:]) -> Topology {
        let nodes = [("x", address), ("y", other)].map { Topology.Node(id: $0, address: $1, role: .master) }
        return Topology(cluster: nodes, owner: []).reached(by: aliases)
    }

    @Test mutating func aNodeIsListenedToUntilItHasBeenAwayForTenSeconds() {
        #expect(plan.step(cluster(old), [:], now: .zero).opens == [old, other])
        let left = Topology(cluster: [Topology.Node(id: "y", address: other, role: .master)], owner: [])
        #expect(plan.step(left, [old: .subscribed, other: .subscribed], now: .seconds(1)) == .init())
        #expect(plan.step(cluster(old), [old: .away, other: .subscribed], now: .seconds(9)) == .init())
        let isBack: [NodeAddress: FeedPlan.Standing] = [old: .away, other: .subscribed]
        #expect(plan.step(left, isBack, now: .seconds(12)) == .init(), "it was back meanwhile")
        #expect(plan.step(left, [old: .away, other: .subscribed], now: .milliseconds(22_001)).closes == [old])
    }

    @Test mutating func aFeedThatStandsGoesOnUnderTheFormerAddress() {
        let feeds: [NodeAddress: FeedPlan.Standing] = [old: .subscribed, other: .subscribed]
        for second in 0..<60 {
            let step = plan.step(cluster(new, aliases: [old: new]), feeds, now: .seconds(second))
            #expect(step == .init(), "\(second) s")
        }
    }

    @Test(arguments: [FeedPlan.Standing.away, .silent(holding: nil), .silent(holding: "run")])
    mutating func aFeedThatDoesNotStandGivesWayToThePresentAddress(_ standing: FeedPlan.Standing) {
        let topology = cluster(new, aliases: [old: new])
        #expect(plan.step(topology, [old: standing, other: .subscribed], now: .zero) == .init(opens: [new]))
        let feeds: [NodeAddress: FeedPlan.Standing] = [old: standing, new: .subscribed, other: .subscribed]
        #expect(plan.step(topology, feeds, now: .milliseconds(10_000)) == .init())
        #expect(plan.step(topology, feeds, now: .milliseconds(10_001)) == .init(closes: [old]))
    }

    @Test mutating func anAddressThatLeadsThereNoMoreIsLeft() {
        let feeds: [NodeAddress: FeedPlan.Standing] = [old: .subscribed, other: .subscribed]
        #expect(plan.step(cluster(new), feeds, now: .zero) == .init(opens: [new]))
    }

    @Test mutating func aSilentFeedOfASingleServerKeepsItsAddress() {
        let nodes = [Topology.Node(id: "\(new)", address: new, role: .master)]
        let topology = Topology(mode: .standalone, nodes: nodes, aliases: [old: new])
        #expect(plan.step(topology, [old: .silent(holding: "run")], now: .zero) == .init())
    }

    /// The former address is cut off, and the node has gone on at its present one.
    private mutating func step(
        _ standing: FeedPlan.Standing, refusals: Int?, second: Int, of process: String = "run"
    ) -> FeedPlan.Step {
        var feeds: [NodeAddress: FeedPlan.Standing] = [old: standing, other: .subscribed]
        if let refusals { feeds[new] = .waiting(for: process, refusals: refusals) }
        return plan.step(cluster(new), feeds, now: .seconds(second))
    }

    @Test mutating func aFeedThatIsCutOffGivesWayToWhereItsProcessAnswers() {
        #expect(step(.silent(holding: "run"), refusals: nil, second: 0) == .init(opens: [new]))
        #expect(step(.silent(holding: "run"), refusals: 1, second: 1) == .init(), "it may wake just now")
        #expect(step(.silent(holding: "run"), refusals: 2, second: 2) == .init(closes: [old]))
    }

    @Test mutating func aFeedThatGoesOnIsLeftItsTimeThoughOthersWait() {
        for second in 0...10 {
            #expect(step(.subscribed, refusals: second, second: second) == .init(), "\(second) s")
        }
        #expect(step(.silent(holding: "run"), refusals: 10, second: 10) == .init(), "what came before says nothing")
    }

    @Test mutating func aFeedThatSpeaksOrHoldsAnotherProcessIsNotInTheWay() {
        for second in 0...9 {
            let standing = FeedPlan.Standing.silent(holding: second % 2 == 0 ? "run" : nil)
            #expect(step(standing, refusals: second, second: second) == .init(), "\(second) s")
        }
        plan = FeedPlan()
        for second in 0...9 {
            let next = step(.silent(holding: "run"), refusals: second, second: second, of: "another")
            #expect(next == .init(), "\(second) s")
        }
    }
}
