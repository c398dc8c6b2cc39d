import Testing

@testable import RedisClient

/// What the servers say of themselves settles roles without Sentinels only where it is beyond doubt.
struct OwnWordsTests {
    private let master = NodeAddress(host: "10.0.0.1", port: 6379)
    private let replica = NodeAddress(host: "10.0.0.2", port: 6379)
    private let other = NodeAddress(host: "10.0.0.3", port: 6379)

    private var known: Topology {
        let nodes = [master, replica].map { address in
            var node = Topology.Node(
                id: "\(address)", address: address, role: address == master ? .master : .replica, configEpoch: 7)
            node.runID = "run \(address.host)"
            return node
        }
        return Topology(mode: .sentinel, nodes: nodes)
    }

    private func word(
        _ address: NodeAddress, of followed: NodeAddress? = nil, runID: String? = nil, history: String? = "h",
        replicas: [NodeAddress] = []
    ) -> ReplicationWord {
        var word = ReplicationWord(
            address: address, runID: runID ?? "run \(address.host)", role: followed == nil ? .master : .replica,
            master: followed)
        word.history = history
        word.replicas = replicas
        return word
    }

    private func judge(_ words: ReplicationWord...) -> OwnWords.Judgement { OwnWords(words, known: known).judgement }

    private func isDoubt(_ judgement: OwnWords.Judgement, _ text: String) -> Bool {
        if case .doubt(let reason) = judgement { reason.contains(text) } else { false }
    }

    @Test func allAgree() throws {
        let words = OwnWords([word(master, replicas: [replica]), word(replica, of: master)], known: known)
        #expect(words.judgement == .master(master))
        let view = words.view(master: master)
        #expect(view.owner(of: 0)?.address == master && view.owner(of: 0)?.configEpoch == 7)
        let poll = TopologyPoll(topology: view, ownWord: words.roles)
        #expect(poll.settles(master))
    }

    /// The split brain that no word can rule out: Sentinels out of reach have promoted it.
    @Test func aServerThatDoesNotAnswerMayHaveBeenPromoted() {
        #expect(isDoubt(judge(word(master)), "10.0.0.2:6379 does not answer"))
        #expect(isDoubt(judge(word(master, replicas: [replica])), "10.0.0.2:6379 does not answer"))
        #expect(isDoubt(judge(word(replica, of: master)), "10.0.0.1:6379 does not answer"))
    }

    @Test("a server that is not known yet and that another one names has to answer, too")
    func whomTheyName() {
        let listed = word(master, replicas: [replica, other])
        #expect(isDoubt(judge(listed, word(replica, of: master)), "10.0.0.3:6379 does not answer"))
        #expect(isDoubt(judge(word(master), word(replica, of: other)), "10.0.0.3:6379 does not answer"))
        #expect(judge(listed, word(replica, of: master), word(other, of: master)) == .master(master))
        let strange = judge(word(master, of: other), word(replica, of: other), word(other, history: nil))
        #expect(isDoubt(strange, "another process"), "none of those that are known has its data from it")
    }

    @Test func twoMastersOrNone() {
        #expect(isDoubt(judge(word(master), word(replica)), "10.0.0.1:6379 and 10.0.0.2:6379"))
        #expect(isDoubt(judge(word(master, of: replica), word(replica, of: master)), "no server"))
    }

    @Test("the former master says itself that it follows the promoted one")
    func aPromotionThatAllKnowOf() {
        let words = OwnWords([word(master, of: replica), word(replica)], known: known)
        #expect(words.judgement == .master(replica))
        let view = words.view(master: replica)
        #expect(view.masters.map(\.address) == [replica])
        #expect(view.owner(of: 0)?.configEpoch == 8, "each promotion has an epoch of its own")
        // And with the next look it is as known as the first one was.
        let again = OwnWords([word(master, of: replica), word(replica)], known: view).view(master: replica)
        #expect(again.isSame(as: view))
    }

    @Test("another process at the master's address counts once a known replica has its data")
    func anotherProcess() {
        let new = word(master, runID: "new", history: "n")
        #expect(isDoubt(judge(new, word(replica, of: master, history: "h")), "another process"))
        #expect(isDoubt(judge(new, word(replica, of: master, runID: "new too", history: "n")), "another process"))
        #expect(judge(new, word(replica, of: master, history: "n")) == .master(master))
    }

    @Test func oneProcessAtTwoAddresses() {
        let words = OwnWords(
            [word(master), word(other, runID: "run 10.0.0.1"), word(replica, of: other)], known: known)
        #expect(words.judgement == .master(master))
        #expect(words.view(master: master).node(at: other)?.address == master)
    }
}
