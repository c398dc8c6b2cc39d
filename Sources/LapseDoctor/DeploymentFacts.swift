import Lapse
package import LeaderElection
package import RedisClient

/// Everything the checks judge: the servers, and how Lapse is going to use them.
package struct DeploymentFacts: Sendable {
    /// One register of the lease and where it lives now.
    package struct Register: Sendable, Equatable {
        package var key: String
        package var node: NodeAddress?

        package init(key: String, node: NodeAddress?) {
            self.key = key
            self.node = node
        }
    }

    /// One register of a store other than Redis.
    package struct StoreRegister: Sendable, Equatable {
        /// What it is called in logs.
        package var label: String
        /// Why it did not answer; nil when it did.
        package var error: RegisterError?

        package init(label: String, error: RegisterError? = nil) {
            self.label = label
            self.error = error
        }
    }

    /// A key that entries are appended to.
    package struct NamedKey: Sendable, Equatable {
        package enum Standing: Sendable, Equatable {
            /// As TYPE says it: `none` where nothing stands.
            case holds(String)
            /// TYPE was refused, in these words.
            case refused(String)
        }

        package var key: String
        package var standing: Standing

        package init(_ key: String, _ standing: Standing) {
            self.key = key
            self.standing = standing
        }

        /// The type that takes no entries, if it is one.
        var wrongType: String? {
            guard case .holds(let type) = standing, type != "stream", type != "none" else { return nil }
            return type
        }
    }

    package var mode: Topology.Mode
    package var nodes: [NodeFacts]
    /// Where Redis votes on the lease; empty where another store does.
    package var registers: [Register]
    /// The registers of another store; nil where Redis votes.
    package var storeRegisters: [StoreRegister]?
    package var uncoveredSlots = 0
    package var name = "default"
    package var leaseTTL: Duration = .seconds(8)
    /// Whom Lapse logs in as.
    package var user = "default"
    /// The rights that `lapse run` needs here.
    package var rights = AccessRights(user: nil, name: "default")
    /// How an operator's redis-cli gets in.
    package var login = RedisLogin()
    /// Ids by which more than one replica goes now.
    package var sharedIDs: [String] = []
    /// The key that `--dead-letter` names, and its type if that can be told.
    package var deadLetter: (key: String, type: String)?
    /// The server's words where it refused to tell the type of that key.
    package var deadLetterRefusal: String?
    /// The partitions of `--stream` of which something was said.
    package var partitions: [NamedKey] = []
    /// How long a master must be silent before Sentinel replaces it.
    package var sentinelPatience: Duration?
    /// Addresses given that do not answer and are not among the nodes: seeds, Sentinels.
    package var silentSeeds: [String] = []

    package init(mode: Topology.Mode, nodes: [NodeFacts], registers: [Register]) {
        self.mode = mode
        self.nodes = nodes
        self.registers = registers
    }

    /// `--punctual track` hears of TTLs that are set, which needs class `g`.
    package var wantsHints: Bool { rights.punctual == .track }

    /// Whether a server refuses Lapse this right.
    func isRefused(_ right: Refusal.Right) -> Bool {
        answering.contains { $0.refusals.contains { $0.right == right } }
    }

    /// Servers that answered.
    package var answering: [NodeFacts] { nodes.filter(\.isAnswering) }

    /// Answering servers on which a register lives.
    package var registerNodes: [NodeFacts] {
        let places = Set(registers.compactMap(\.node))
        return answering.filter { places.contains($0.address) }
    }

    /// The server that holds a majority of the registers by itself, if one does: losing it is losing the
    /// lease.
    package var soleDomain: NodeFacts? {
        nodes.first { facts in registers.count { $0.node == facts.address } > registers.count / 2 }
    }

    package func replicas(of master: NodeFacts) -> [NodeFacts] {
        nodes.filter { $0.masterID == master.id && $0.role == .replica }
    }

    /// What an operator types to run a command on one server.
    package func command(on node: NodeAddress, _ words: String...) -> String { command(on: node, words: words) }

    package func command(on node: NodeAddress, words: [String]) -> String {
        RedisCommandLine(node, login, words).text
    }

    /// The same for a whole cluster: words as behind `redis-cli --cluster`.
    package func clusterCommand(_ words: String...) -> String { RedisCommandLine(cluster: words, login).text }

    /// The clock difference that the lease allows for over one TTL.
    var drift: Duration { leaseTTL * 0.01 + .milliseconds(2) }
}
