import Testing

@testable import RedisClient

/// For how long a former address still leads to a node of a cluster.
struct MovedNodesTests {
    private func at(_ host: String) -> NodeAddress { NodeAddress(host: host, port: 6379) }
    private func view(_ nodes: [String: String]) -> Topology {
        Topology(cluster: nodes.map { Topology.Node(id: $0, address: at($1), role: .master) }, owner: [])
    }
    private var moved = MovedNodes()

    @Test mutating func aFormerAddressLeadsThereWhileTheNodeAnswersAtIt() {
        moved.note(view(["x": "a", "y": "b"]), view(["x": "x", "y": "b"]))
        #expect(moved.aliases == [at("a"): at("x")])
        #expect(moved.questions.map(\.id) == ["x"])
        for _ in 0..<100 {
            moved.answered(at("a"), .same)
            moved.note(view(["x": "x", "y": "b"]), view(["x": "x", "y": "b"]))
        }
        #expect(moved.aliases == [at("a"): at("x")])
        moved.note(view(["x": "x", "y": "b"]), view(["x": "again", "y": "b"]))
        #expect(moved.aliases == [at("a"): at("again"), at("x"): at("again")])
    }

    @Test mutating func anotherServerThereEndsIt() {
        moved.note(view(["x": "a"]), view(["x": "x"]))
        moved.answered(at("a"), .other)
        #expect(moved.aliases.isEmpty)
    }

    @Test mutating func threeLooksInWhichOnlyThePresentAddressAnswersEndIt() {
        moved.note(view(["x": "a"]), view(["x": "x"]))
        for _ in 0..<100 { moved.answered(at("a"), .none(isHome: false)) }
        for _ in 0..<2 { moved.answered(at("a"), .none(isHome: true)) }
        moved.answered(at("a"), .same)
        for _ in 0..<2 { moved.answered(at("a"), .none(isHome: true)) }
        #expect(!moved.aliases.isEmpty)
        moved.answered(at("a"), .none(isHome: true))
        #expect(moved.aliases.isEmpty)
    }

    @Test mutating func anAddressThatAnotherNodeHasOrOfANodeThatLeftIsNone() {
        moved.note(view(["x": "a", "y": "b"]), view(["x": "x", "y": "a"]))
        #expect(moved.aliases == [at("b"): at("a")])
        moved.note(view(["x": "x", "y": "a"]), view(["x": "x"]))
        #expect(moved.aliases.isEmpty)
    }

    @Test mutating func aNodeThatGoesBackIsThere() {
        moved.note(view(["x": "a"]), view(["x": "x"]))
        moved.note(view(["x": "x"]), view(["x": "a"]))
        #expect(moved.aliases == [at("x"): at("a")])
    }

    @Test func anAddressOfANodeIsNoAlias() {
        let topology = view(["x": "x", "y": "b"]).reached(by: [at("a"): at("x"), at("b"): at("x")])
        #expect(topology.node(at: at("a"))?.id == "x" && topology.node(at: at("b"))?.id == "y")
        #expect(topology.whereabouts(of: "x", metAt: at("a")) == at("x"))
        #expect(topology.whereabouts(of: "y", metAt: at("a")) == at("b"))
        #expect(topology.whereabouts(of: "z", metAt: at("a")) == nil)
        #expect(topology.canonicalAddress(of: at("a")) == at("x") && topology.canonicalAddress(of: at("x")) == at("x"))
        #expect(topology.canonicalAddress(of: at("b")) == at("b"), "a node's own address, whatever an alias says")
        #expect(topology.canonicalAddress(of: at("c")) == at("c"), "no known node")
    }
}
