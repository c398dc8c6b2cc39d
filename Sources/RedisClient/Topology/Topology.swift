/// One view of the servers: which there are, in which role, and the owner of each slot. Immutable; a
/// new view replaces it.
package struct Topology: Sendable {
    package enum Mode: String, Sendable { case standalone, cluster, sentinel }
    package enum Role: String, Sendable { case master, replica }

    package struct Node: Sendable, Equatable {
        /// The cluster's node ID; the address where there is no cluster.
        package var id: String
        package var address: NodeAddress
        /// The server process; nil where it is not known: in a cluster, and of a server that has not answered.
        package var runID: String?
        package var role: Role
        package var masterID: String?
        /// The cluster thinks it is failing (`fail` or `fail?`).
        package var isFailing = false
        package var configEpoch: UInt64 = 0
        /// The addresses under which redirections may name it: its IP address and its host name, as announced.
        package var announcedAs: [NodeAddress] = []
        /// Slots it is importing, known only from its own view.
        package var importing: Set<UInt16> = []
        package var slotCount = 0

        /// A dead master whose slots have another owner: nothing is to be heard of it.
        package var isLeftBehind: Bool { role == .master && isFailing && slotCount == 0 }

        package init(
            id: String, address: NodeAddress, role: Role, masterID: String? = nil, isFailing: Bool = false,
            configEpoch: UInt64 = 0, importing: Set<UInt16> = []
        ) {
            self.id = id
            self.address = address
            self.role = role
            self.masterID = masterID
            self.isFailing = isFailing
            self.configEpoch = configEpoch
            self.importing = importing
        }
    }

    package var mode: Mode
    /// Sorted by address.
    package private(set) var nodes: [Node]
    /// For each slot the index in `nodes` of its owner, or `noOwner`. Empty where the one master owns
    /// everything.
    private var owners: [UInt16]
    private var soleMaster: Int?
    private var indexes: [NodeAddress: Int] = [:]
    private var announced: [NodeAddress: Int] = [:]
    /// Further addresses that lead to one of the nodes, each with the address by which that node is known.
    package private(set) var aliases: [NodeAddress: NodeAddress] = [:]
    fileprivate static let noOwner = UInt16.max
    package static let slotCount = 16384

    /// A cluster: `owner` names for each slot the node ID that owns it.
    package init(cluster nodes: [Node], owner: [String?]) {
        mode = .cluster
        self.nodes = nodes.sorted { $0.address < $1.address }
        let byID = Dictionary(self.nodes.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
        owners = owner.map { id in id.flatMap { byID[$0] }.flatMap(UInt16.init(exactly:)) ?? Self.noOwner }
        for index in owners where index != Self.noOwner { self.nodes[Int(index)].slotCount += 1 }
        indexAddresses()
    }

    /// One master, which owns every slot, and its replicas.
    package init(mode: Mode, nodes: [Node], aliases: [NodeAddress: NodeAddress] = [:]) {
        self.mode = mode
        self.aliases = aliases
        self.nodes = nodes.sorted { $0.address < $1.address }
        owners = []
        soleMaster = self.nodes.firstIndex { $0.role == .master }
        if let soleMaster { self.nodes[soleMaster].slotCount = Self.slotCount }
        indexAddresses()
    }

    /// The same, with further addresses that lead to its nodes.
    package func reached(by aliases: [NodeAddress: NodeAddress]) -> Topology {
        guard aliases != self.aliases else { return self }
        var topology = self
        topology.aliases = aliases
        topology.indexAddresses()
        return topology
    }

    private mutating func indexAddresses() {
        (indexes, announced) = ([:], [:])
        for (index, node) in nodes.enumerated() { indexes[node.address] = index }
        for (alias, address) in aliases where indexes[alias] == nil { indexes[alias] = indexes[address] }
        for (index, node) in nodes.enumerated() {
            // An address that another node is reached at stays that node's.
            for address in node.announcedAs where indexes[address] == nil { announced[address] = index }
        }
    }

    package func owner(of slot: UInt16) -> Node? {
        guard !owners.isEmpty else { return soleMaster.map { nodes[$0] } }
        let index = owners[Int(slot)]
        return index == Self.noOwner ? nil : nodes[Int(index)]
    }

    /// The owner of each slot, by index in `nodes`.
    package var slots: SlotOwners { SlotOwners(owners: owners, sole: soleMaster) }

    package func node(at address: NodeAddress) -> Node? { indexes[address].map { nodes[$0] } }

    /// The address by which the node is known that `address` leads to: its own of several. An address that
    /// leads to no known node stands for itself.
    package func canonicalAddress(of address: NodeAddress) -> NodeAddress { node(at: address)?.address ?? address }

    /// Where the node of this ID is now, met at `address` before; nil for one that is not known.
    package func whereabouts(of id: String, metAt address: NodeAddress) -> NodeAddress? {
        if let node = node(at: address), node.id == id { return node.address }
        return nodes.first { $0.id == id }?.address
    }

    /// The node that a redirection means.
    package func node(announcedAs address: NodeAddress) -> Node? {
        (indexes[address] ?? announced[address]).map { nodes[$0] }
    }

    /// Every address that leads to a node, its own first.
    package func addresses(of node: Node) -> [NodeAddress] {
        [node.address] + aliases.filter { $0.value == node.address }.keys.sorted()
    }

    /// The server that must answer at an address, as far as that is known.
    package func identity(at address: NodeAddress) -> ServerIdentity? {
        guard let node = node(at: address) else { return nil }
        return mode == .cluster ? .clusterNode(node.id) : node.runID.map { .process($0) }
    }

    /// Whether an expiration of a key in `slot` counts when this node announces it: it owns the slot or is
    /// importing it.
    package func countsExpirations(of slot: UInt16, at address: NodeAddress) -> Bool {
        claim(of: address).counts(slot)
    }

    /// What one node owns or is importing, for many questions about the same node.
    package func claim(of address: NodeAddress) -> Claim {
        guard let index = indexes[address] else { return Claim(ownsAll: false, index: Self.noOwner) }
        guard !owners.isEmpty else { return Claim(ownsAll: index == soleMaster, index: Self.noOwner) }
        return Claim(
            ownsAll: false, index: UInt16(exactly: index) ?? Self.noOwner, owners: owners,
            importing: nodes[index].importing)
    }

    package struct Claim: Sendable {
        let ownsAll: Bool
        let index: UInt16
        var owners: [UInt16] = []
        var importing: Set<UInt16> = []

        package func counts(_ slot: UInt16) -> Bool { owns(slot) || importing.contains(slot) }

        /// It is the owner, not only about to become it.
        package func owns(_ slot: UInt16) -> Bool {
            owners.isEmpty ? ownsAll : owners[Int(slot)] == index && index != Topology.noOwner
        }

        /// It is neither owner nor importer of anything.
        package var isEmpty: Bool {
            owners.isEmpty ? !ownsAll : importing.isEmpty && !(owners.contains(index) && index != Topology.noOwner)
        }
    }

    /// Nodes that own slots.
    package var masters: [Node] { nodes.filter { $0.role == .master && ($0.slotCount > 0 || mode != .cluster) } }

    /// Slots without an owner.
    package var uncoveredSlots: Int { owners.count { $0 == Self.noOwner } }

    /// The nodes that own slots which were another's then.
    package func receivers(since former: Topology) -> Set<NodeAddress> {
        guard owners.count == former.owners.count, owners != former.owners || nodes != former.nodes else { return [] }
        var receivers: Set<NodeAddress> = []
        for slot in owners.indices {
            let (index, before) = (owners[slot], former.owners[slot])
            guard index != Self.noOwner, before != Self.noOwner else { continue }
            let address = nodes[Int(index)].address
            if former.nodes[Int(before)].address != address { receivers.insert(address) }
        }
        return receivers
    }

    /// Same nodes in the same roles owning the same slots.
    package func isSame(as other: Topology) -> Bool {
        mode == other.mode && nodes == other.nodes && owners == other.owners && aliases == other.aliases
    }
}
