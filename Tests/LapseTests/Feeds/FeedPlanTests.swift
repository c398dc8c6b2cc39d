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
        #expect(plan.step(cluster(old), [:], now: 0).opens == [old, other])
        let left = Topology(cluster: [Topology.Node(id: "y", address: other, role: .master)], owner: [])
        #expect(plan.step(left, [old: .subscribed, other: .subscribed], now: 1_000) == .init())
        #expect(plan.step(cluster(old), [old: .away, other: .subscribed], now: 9_000) == .init())
        #expect(plan.step(left, [old: .away, other: .subscribed], now: 12_000) == .init(), "it was back meanwhile")
        #expect(plan.step(left, [old: .away, other: .subscribed], now: 22_001).closes == [old])
    }

    @Test mutating func aFeedThatStandsGoesOnUnderTheFormerAddress() {
        let feeds: [NodeAddress: FeedPlan.Standing] = [old: .subscribed, other: .subscribed]
        for second in 0..<60 {
            let step = plan.step(cluster(new, aliases: [old: new]), feeds, now: UInt64(second) * 1_000)
            #expect(step == .init(), "\(second) s")
        }
    }

    @Test(arguments: [FeedPlan.Standing.away, .silent])
    mutating func aFeedThatDoesNotStandGivesWayToThePresentAddress(_ standing: FeedPlan.Standing) {
        let topology = cluster(new, aliases: [old: new])
        #expect(plan.step(topology, [old: standing, other: .subscribed], now: 0) == .init(opens: [new]))
        let feeds: [NodeAddress: FeedPlan.Standing] = [old: standing, new: .subscribed, other: .subscribed]
        #expect(plan.step(topology, feeds, now: 10_000) == .init())
        #expect(plan.step(topology, feeds, now: 10_001) == .init(closes: [old]))
    }

    @Test mutating func anAddressThatLeadsThereNoMoreIsLeft() {
        let feeds: [NodeAddress: FeedPlan.Standing] = [old: .subscribed, other: .subscribed]
        #expect(plan.step(cluster(new), feeds, now: 0) == .init(opens: [new]))
    }

    @Test mutating func aSilentFeedOfASingleServerKeepsItsAddress() {
        let nodes = [Topology.Node(id: "\(new)", address: new, role: .master)]
        let topology = Topology(mode: .standalone, nodes: nodes, aliases: [old: new])
        #expect(plan.step(topology, [old: .silent], now: 0) == .init())
    }
}
