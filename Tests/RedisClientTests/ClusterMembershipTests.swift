import Testing

@testable import RedisClient

/// Rows 61 and 62: whose word on a cluster counts, and whose word on an address.
struct ClusterMembershipTests {
    private func at(_ host: Int) -> NodeAddress { NodeAddress(host: "10.0.0.\(host)", port: 6379) }

    /// An answer of the node `me` that lists all of `ids`; node `a7` is at host 7 unless it says another.
    private func answer(
        _ me: String, asked: Int, _ ids: [String], own: Int? = nil, hosts: [String: Int] = [:]
    ) -> ClusterMembership.Answer {
        let lines = ids.map { id in
            let host = id == me ? own ?? hosts[id] : hosts[id]
            let flags = id == me ? "myself,master" : "master"
            return "\(id) 10.0.0.\(host ?? Int(id.dropFirst()) ?? 0):6379@16379 \(flags) - 0 0 1 connected"
        }
        return .init(asked: at(asked), nodes: ClusterNodes(lines.joined(separator: "\n"), asked: at(asked)))
    }

    private let ours = ["a1", "a2", "a3"]

    private func known() -> Topology {
        let answers = [1, 2, 3].map { answer("a\($0)", asked: $0, ours).nodes }
        return ClusterNodes.merge(answers, map: AddressMap(), useHostNames: false)
    }

    @Test func anAddressTakenOverByAnotherClusterSaysNothing() {
        let membership = ClusterMembership(
            [
                answer("a1", asked: 1, ours), answer("a2", asked: 2, ours),
                answer("b1", asked: 3, ["b1", "b2", "b3", "b4"]),
            ],
            known: known(), order: [at(1)])
        #expect(membership.members.map(\.asked) == [at(1), at(2)])
        #expect(membership.outsiders.map(\.id) == ["b1"])
        #expect(membership.outsiders.map(\.expected) == ["a3"])
    }

    @Test func noMajorityOfStrangersOverrulesWhoIsKnown() {
        let foreign = ["b1", "b2", "b3"]
        let membership = ClusterMembership(
            [answer("a1", asked: 1, ours), answer("b1", asked: 2, foreign), answer("b2", asked: 3, foreign)],
            known: known(), order: [])
        #expect(membership.members.map(\.asked) == [at(1)])
        let alone = ClusterMembership(
            [answer("b1", asked: 2, foreign), answer("b2", asked: 3, foreign)], known: known(), order: [])
        #expect(alone.members.isEmpty && alone.outsiders.count == 2)
    }

    @Test func aNodeThatWasResetAndMetOthersKeepsItsIDAndNothingElse() {
        let reset = answer("a3", asked: 3, ["a3", "b1", "b2"])
        let membership = ClusterMembership([answer("a1", asked: 1, ours), reset], known: known(), order: [])
        #expect(membership.members.map(\.asked) == [at(1)])
        #expect(ClusterMembership([reset], known: known(), order: []).members.isEmpty)
    }

    @Test func aNodeThatIsAskedAtTwoAddressesIsNoWitnessOfItself() {
        let reset = ["a3", "b1", "b2"]
        let membership = ClusterMembership(
            [answer("a3", asked: 3, reset), answer("a3", asked: 13, reset)], known: known(), order: [])
        #expect(membership.members.isEmpty && membership.outsiders.count == 2)
    }

    @Test func aNewMemberIsLetInByThoseWhoKnowIt() {
        let four = ours + ["a4"]
        let membership = ClusterMembership(
            [answer("a1", asked: 1, four), answer("a4", asked: 4, four)], known: known(), order: [])
        #expect(membership.members.count == 2 && membership.outsiders.isEmpty)
    }

    @Test func aClusterThatShrankInOneGoIsStillThere() {
        let left = ["a1", "a2"]
        var many = known()
        many = ClusterNodes.merge(
            [answer("a1", asked: 1, (1...9).map { "a\($0)" }).nodes], map: AddressMap(), useHostNames: false,
            known: many)
        let membership = ClusterMembership(
            [answer("a1", asked: 1, left), answer("a2", asked: 2, left)], known: many, order: [])
        #expect(membership.members.count == 2)
    }

    @Test func atTheStartTheEarlierSeedsClusterCounts() {
        let membership = ClusterMembership(
            [answer("b1", asked: 1, ["b1"]), answer("a2", asked: 2, ["a2"])], known: nil, order: [at(2), at(1)])
        #expect(membership.members.map(\.asked) == [at(2)])
        #expect(membership.outsiders.map(\.id) == ["b1"])
    }

    @Test(arguments: [9, 2])
    func theOthersWordOnAnAddressCounts(_ wrong: Int) {
        // Node a3 calls itself dead or another's address; whichever nodes are asked, in whatever order, it
        // stays where it is.
        let answers = [
            answer("a1", asked: 1, ours), answer("a2", asked: 2, ours), answer("a3", asked: 3, ours, own: wrong),
        ].map(\.nodes)
        var known: Topology?
        for asked in [[0, 2], [2, 1], [0, 1, 2], [1, 2], [0, 1]] {
            known = ClusterNodes.merge(asked.map { answers[$0] }, map: AddressMap(), useHostNames: false, known: known)
            #expect(known?.nodes.first { $0.id == "a3" }?.address == at(3), "\(asked)")
            #expect(known?.nodes.count == 3)
        }
    }

    @Test func aRuleThatSendsTwoNodesToOneAddressIsNotFollowedForTheOther() throws {
        var map = AddressMap()
        let isRead = map.add("10.0.0.2=10.0.0.1")
        try #require(isRead)
        let answers = [answer("a1", asked: 1, ours), answer("a3", asked: 3, ours)].map(\.nodes)
        let topology = ClusterNodes.merge(answers, map: map, useHostNames: false)
        #expect(topology.node(at: at(1))?.id == "a1")
        #expect(topology.node(at: at(2))?.id == "a2")
    }
}
