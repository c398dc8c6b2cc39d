import Testing

@testable import RedisClient

/// Several nodes' views become one: the highest configuration epoch counts.
struct ClusterViewMergeTests {
    private func view(_ lines: String..., asked: Int = 1) -> ClusterNodes {
        ClusterNodes(lines.joined(separator: "\n"), asked: NodeAddress(host: "10.0.0.\(asked)", port: 6379))
    }

    /// `line("a", 1, "myself,master", epoch: 3, "0-16383")`
    private func line(
        _ id: String, _ host: Int, _ flags: String, of master: String = "-", epoch: Int, name: String? = nil,
        _ slots: String = ""
    ) -> String {
        let name = name.map { ",\($0)" } ?? ""
        return "\(id) 10.0.0.\(host):6379@16379\(name) \(flags) \(master) 0 0 \(epoch) connected \(slots)"
    }

    private func merge(_ views: [ClusterNodes], useHostNames: Bool = false) -> Topology {
        ClusterNodes.merge(views, map: AddressMap(), useHostNames: useHostNames)
    }

    @Test func whoHasReceivedSlots() {
        let (a, c) = (line("a", 1, "myself,master", epoch: 1, "0-8191"), line("c", 3, "master", epoch: 2, "8192-16383"))
        let before = merge([view(a, c)])
        #expect(before.receivers(since: before).isEmpty)
        let moved = merge([
            view(
                line("a", 1, "myself,master", epoch: 1, "0-8190"), line("c", 3, "master", epoch: 3, "8191-16383"))
        ])
        #expect(moved.receivers(since: before) == [NodeAddress(host: "10.0.0.3", port: 6379)])
        #expect(before.receivers(since: moved) == [NodeAddress(host: "10.0.0.1", port: 6379)])
        // Neither a node that comes, nor slots without an owner.
        let left = merge([view(a, line("b", 2, "slave", of: "a", epoch: 1), line("c", 3, "master", epoch: 2))])
        #expect(left.receivers(since: before).isEmpty)
        #expect(before.receivers(since: left).isEmpty)
    }

    @Test(arguments: [false, true])
    func aFrozenMastersViewLoses(_ isReversed: Bool) throws {
        let stale = view(
            line("a", 1, "myself,master", epoch: 1, "0-8191"), line("b", 2, "slave", of: "a", epoch: 1),
            line("c", 3, "master", epoch: 2, "8192-16383"))
        let fresh = view(
            line("a", 1, "master,fail", epoch: 1), line("b", 2, "master", epoch: 7, "0-8191"),
            line("c", 3, "myself,master", epoch: 2, "8192-16383"), asked: 3)
        let topology = merge(isReversed ? [fresh, stale] : [stale, fresh])
        #expect(try #require(topology.owner(of: 0)).id == "b")
        #expect(try #require(topology.owner(of: 8191)).id == "b")
        #expect(try #require(topology.owner(of: 8192)).id == "c")
        #expect(topology.masters.map(\.id) == ["b", "c"])
        #expect(topology.node(at: NodeAddress(host: "10.0.0.2", port: 6379))?.role == .master)
        let frozen = NodeAddress(host: "10.0.0.1", port: 6379)
        #expect(!topology.countsExpirations(of: 0, at: frozen))
        #expect(topology.countsExpirations(of: 0, at: NodeAddress(host: "10.0.0.2", port: 6379)))
        #expect(topology.uncoveredSlots == 0)
    }

    @Test(arguments: [false, true])
    func aDemotedMasterIsAReplica(_ isReversed: Bool) {
        let stale = view(
            line("a", 1, "master", epoch: 1, "0-16383"), line("b", 2, "slave", of: "a", epoch: 1), asked: 3)
        // A replica is shown with its master's epoch.
        let fresh = view(
            line("a", 1, "myself,slave", of: "b", epoch: 7), line("b", 2, "master", epoch: 7, "0-16383"))
        let topology = merge(isReversed ? [fresh, stale] : [stale, fresh])
        let old = topology.node(at: NodeAddress(host: "10.0.0.1", port: 6379))
        #expect(old?.role == .replica)
        #expect(old?.masterID == "b")
        #expect(old?.slotCount == 0)
        #expect(topology.masters.map(\.id) == ["b"])
        #expect(topology.masters.map(\.slotCount) == [16384])
    }

    @Test(arguments: [false, true])
    func aMovedSlotIsTheNewOwners(_ isReversed: Bool) throws {
        let before = view(line("a", 1, "myself,master", epoch: 1, "0-100"), line("b", 2, "master", epoch: 2, "101-200"))
        let after = view(
            line("a", 1, "master", epoch: 1, "0-49 51-100"), line("b", 2, "myself,master", epoch: 8, "50 101-200"),
            asked: 2)
        let topology = merge(isReversed ? [after, before] : [before, after])
        #expect(try #require(topology.owner(of: 50)).id == "b")
        #expect(try #require(topology.owner(of: 49)).id == "a")
        #expect(topology.owner(of: 201) == nil)
        #expect(topology.uncoveredSlots == 16384 - 201)
    }

    @Test func importingIsTheNodesOwnWord() {
        let topology = merge([
            view(line("a", 1, "myself,master", epoch: 1, "0-10 [5->-b]"), line("b", 2, "master", epoch: 2, "11-20")),
            view(
                line("a", 1, "master", epoch: 1, "0-10"), line("b", 2, "myself,master", epoch: 2, "11-20 [5-<-a]"),
                asked: 2),
        ])
        #expect(topology.countsExpirations(of: 5, at: NodeAddress(host: "10.0.0.2", port: 6379)))
        #expect(topology.countsExpirations(of: 5, at: NodeAddress(host: "10.0.0.1", port: 6379)))
        #expect(!topology.countsExpirations(of: 6, at: NodeAddress(host: "10.0.0.2", port: 6379)))
        #expect(!topology.countsExpirations(of: 5, at: NodeAddress(host: "10.9.9.9", port: 6379)))
    }

    @Test func hostNamesServeWhereWanted() {
        let views = [
            view(
                line("a", 1, "myself,master", epoch: 1, name: "redis-0", "0-16383"),
                line("b", 2, "slave", of: "a", epoch: 1))
        ]
        #expect(merge(views).nodes.map(\.address.host) == ["10.0.0.1", "10.0.0.2"])
        #expect(merge(views, useHostNames: true).nodes.map(\.address.host) == ["10.0.0.2", "redis-0"])
    }

    @Test func announcedAddressesAreMapped() throws {
        var map = AddressMap()
        let isRead = map.add("10.0.0.1=localhost")
        try #require(isRead)
        let views = [view(line("a", 1, "myself,master", epoch: 1, "0-16383"))]
        let topology = ClusterNodes.merge(views, map: map, useHostNames: false)
        #expect(topology.owner(of: 1)?.address == NodeAddress(host: "localhost", port: 6379))
    }

    @Test func oneNodesDoubtAboutAnotherIsSeen() {
        let doubting = view(
            line("a", 1, "myself,master", epoch: 1, "0-10"), line("c", 3, "master,fail?", epoch: 3, "11-20"))
        let trusting = view(
            line("b", 2, "myself,master", epoch: 2), line("c", 3, "master", epoch: 3, "11-20"), asked: 2)
        let ownWord = view(line("c", 3, "myself,master", epoch: 3, "11-20"), asked: 3)
        for views in [[doubting, trusting], [trusting, doubting]] {
            #expect(merge(views).node(at: NodeAddress(host: "10.0.0.3", port: 6379))?.isFailing == true)
            let answered = merge(views + [ownWord])
            #expect(answered.node(at: NodeAddress(host: "10.0.0.3", port: 6379))?.isFailing == false, "it answers")
        }
    }
}
