/// The addresses by which nodes of a cluster were known before, and that still lead to them.
///
/// A node may get another announced name or address while its process goes on, and with it each
/// connection to the former one: nothing is gained by a new one. Who answers at a former address is
/// asked in each look.
struct MovedNodes {
    /// What a look finds out about one former address.
    enum Answer {
        /// The node answers there.
        case same
        /// Another server does.
        case other
        /// None does; whether the node answers at its present address.
        case none(isHome: Bool)
    }

    struct Question {
        let former: NodeAddress
        let id: String
        let home: NodeAddress
    }

    private struct Former {
        let id: String
        var home: NodeAddress
        /// Looks in a row in which the node answered at its present address alone.
        var misses = 0
    }

    private var former: [NodeAddress: Former] = [:]
    /// One look may meet a slow moment.
    private static let patience = 3
    /// More than the nodes of any cluster.
    private static let limit = 4096

    /// To be asked in the next look.
    var questions: [Question] { former.map { Question(former: $0, id: $1.id, home: $1.home) } }

    /// The former addresses, each with the node's present one.
    var aliases: [NodeAddress: NodeAddress] { former.mapValues(\.home) }

    mutating func answered(_ address: NodeAddress, _ answer: Answer) {
        switch answer {
        case .same: former[address]?.misses = 0
        case .other: former[address] = nil
        case .none(let isHome):
            // A node that answers nowhere may be frozen: its connections go on when it does.
            guard isHome, let misses = former[address]?.misses else { return }
            former[address]?.misses = misses + 1
            if misses + 1 >= Self.patience { former[address] = nil }
        }
    }

    /// After each look, with the view before it: where a node was until then still counts, until asked.
    mutating func note(_ known: Topology, _ seen: Topology) {
        let homes = Dictionary(seen.nodes.map { ($0.id, $0.address) }, uniquingKeysWith: { first, _ in first })
        for node in known.nodes {
            guard former.count < Self.limit, let home = homes[node.id], home != node.address else { continue }
            former[node.address] = Former(id: node.id, home: home)
        }
        // One at which another node is reached now is that node's.
        let taken = Set(seen.nodes.map(\.address))
        for (address, entry) in former {
            former[address]?.home = homes[entry.id] ?? entry.home
            if homes[entry.id] == nil || taken.contains(address) { former[address] = nil }
        }
    }
}
