import Testing

@testable import RedisClient

/// Rows 60 and 63: who belongs to a single Redis, by what the servers say.
struct ReplicationGroupTests {
    private func at(_ host: String) -> NodeAddress { NodeAddress(host: host, port: 6379) }

    private func master(_ host: String, _ runID: String?, replicas: [String] = []) -> ReplicationWord {
        var word = ReplicationWord(address: at(host), runID: runID, role: .master)
        word.replicas = replicas.map(at)
        return word
    }

    private func replica(_ host: String, _ runID: String?, of master: String) -> ReplicationWord {
        ReplicationWord(address: at(host), runID: runID, role: .replica, master: at(master))
    }

    private func look(_ group: inout ReplicationGroup, _ words: [ReplicationWord]) -> [String: Topology.Role] {
        roles(group.look(words))
    }

    private func roles(_ poll: TopologyPoll) -> [String: Topology.Role] {
        Dictionary(uniqueKeysWithValues: poll.topology.nodes.map { ($0.address.host, $0.role) })
    }

    @Test func oneServerUnderTwoNamesIsOneNode() {
        var group = ReplicationGroup(seeds: [at("name"), at("10.0.0.1")])
        let words = [master("10.0.0.1", "a"), master("name", "a")]
        for _ in 0..<3 {
            let poll = group.look(words)
            #expect(roles(poll) == ["name": .master])
            #expect(poll.topology.aliases == [at("10.0.0.1"): at("name")])
            #expect(poll.topology.node(at: at("10.0.0.1"))?.address == at("name"))
            #expect(poll.topology.countsExpirations(of: 1, at: at("10.0.0.1")))
            #expect(poll.settles(at("10.0.0.1")) && poll.settles(at("name")))
        }
    }

    @Test func theNameThatAReplicaUsesIsAnAlias() {
        var group = ReplicationGroup(seeds: [at("10.0.0.1")])
        let words = [
            master("10.0.0.1", "a", replicas: ["10.0.0.2"]), replica("10.0.0.2", "b", of: "inside"),
            master("inside", "a"),
        ]
        let poll = group.look(words)
        #expect(roles(poll) == ["10.0.0.1": .master, "10.0.0.2": .replica])
        #expect(poll.outsiders.isEmpty)
    }

    @Test func theAddressInUseStays() {
        var group = ReplicationGroup(seeds: [at("name"), at("10.0.0.1")])
        for words in [[master("10.0.0.1", "a")], [master("10.0.0.1", "a"), master("name", "a")]] {
            let roles = look(&group, words)
            #expect(roles == ["10.0.0.1": .master])
        }
    }

    @Test("what a feed hears at an address that is silent in one look still counts", arguments: ["name", "10.0.0.1"])
    func aSilentAddressOfAProcessThatAnswersElsewhere(silent: String) {
        var group = ReplicationGroup(seeds: [at("name"), at("10.0.0.1")])
        let words = [master("name", "a"), master("10.0.0.1", "a")]
        _ = group.look(words)
        for _ in 0..<3 {
            let topology = group.look(words.filter { $0.address != at(silent) }).topology
            #expect(topology.nodes.count == 1)
            #expect(topology.countsExpirations(of: 1, at: at(silent)))
        }
        // Another process has the address now.
        let moved = group.look([words.first { $0.address != at(silent) } ?? words[0], master(silent, "b")]).topology
        #expect(!moved.countsExpirations(of: 1, at: at(silent)))
    }

    @Test func aServerWithoutRunIDIsKnownByItsAddress() {
        var group = ReplicationGroup(seeds: [at("x")])
        let poll = group.look([master("x", nil, replicas: ["y"]), replica("y", nil, of: "x")])
        #expect(roles(poll) == ["x": .master, "y": .replica])
    }

    @Test(arguments: ["10.0.0.1", "10.0.0.3"])
    func aDetachedReplicaLeaves(_ copy: String) {
        var group = ReplicationGroup(seeds: [at("10.0.0.2")])
        _ = group.look([master("10.0.0.2", "m", replicas: [copy]), replica(copy, "c", of: "10.0.0.2")])
        let poll = group.look([master("10.0.0.2", "m"), master(copy, "c")])
        #expect(roles(poll) == ["10.0.0.2": .master])
        #expect(poll.outsiders.map(\.address) == [at(copy)])
        #expect(!poll.topology.countsExpirations(of: 1, at: at(copy)))
    }

    @Test func aDetachedReplicaDoesNotTakeOverDuringAHiccup() {
        var group = ReplicationGroup(seeds: [at("1"), at("2")])
        _ = group.look([master("1", "m", replicas: ["2"]), replica("2", "c", of: "1")])
        for _ in 1..<ReplicationGroup.patience {
            let roles = look(&group, [master("2", "c")])
            #expect(roles["1"] == .master)
        }
        let roles = look(&group, [master("1", "m"), master("2", "c")])
        #expect(roles == ["1": .master])
    }

    @Test func aPromotedReplicaTakesTheDeadMastersPlace() {
        var group = ReplicationGroup(seeds: [at("1")])
        _ = group.look([master("1", "m", replicas: ["2"]), replica("2", "c", of: "1")])
        for _ in 1..<ReplicationGroup.patience { _ = group.look([master("2", "c")]) }
        let roles = look(&group, [master("2", "c")])
        #expect(roles["2"] == .master)
    }

    @Test func aMasterThatWasTakenDownNamesItsSuccessorAtOnce() {
        var group = ReplicationGroup(seeds: [at("1")])
        _ = group.look([
            master("1", "m", replicas: ["2", "3"]), replica("2", "c", of: "1"), replica("3", "d", of: "1"),
        ])
        let poll = group.look([
            replica("1", "m", of: "3"), replica("2", "c", of: "3"), master("3", "d", replicas: ["1", "2"]),
        ])
        #expect(roles(poll) == ["1": .replica, "2": .replica, "3": .master])
    }

    @Test func aStrangerAtAReplicasAddressIsNoCandidate() {
        var group = ReplicationGroup(seeds: [at("2")])
        _ = group.look([master("2", "m", replicas: ["1"]), replica("1", "c", of: "2")])
        for _ in 0...ReplicationGroup.patience {
            let roles = look(&group, [master("1", "stranger")])
            #expect(roles == ["2": .master])
        }
    }

    @Test func aMasterThatRestartsIsTheMaster() {
        var group = ReplicationGroup(seeds: [at("1")])
        _ = group.look([master("1", "m")])
        let poll = group.look([master("1", "again")])
        #expect(roles(poll) == ["1": .master] && poll.topology.nodes.first?.runID == "again")
    }
}
