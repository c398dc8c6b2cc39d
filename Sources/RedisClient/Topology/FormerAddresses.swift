/// Addresses that have left the view of a cluster, and which node was there: they are asked again for
/// some looks.
///
/// The others know a node without an address (`noaddr`) as soon as another one answers at it, so a
/// stranger there might never be met otherwise, and nothing would be said of it.
struct FormerAddresses {
    private struct Former {
        let id: String
        /// Looks that still ask.
        var looks: Int
    }

    private var former: [NodeAddress: Former] = [:]
    private static let patience = 15
    /// More than leave at once.
    private static let limit = 256

    /// To be asked in the next look.
    var addresses: [NodeAddress] { Array(former.keys) }

    /// After each look: what it no longer shows is asked from now on, what it shows is not.
    mutating func note(_ known: Topology, _ seen: Topology) {
        for (address, entry) in former {
            former[address] = entry.looks > 1 ? Former(id: entry.id, looks: entry.looks - 1) : nil
        }
        let present = Set(seen.nodes.map(\.address))
        for node in known.nodes where !present.contains(node.address) && former.count < Self.limit {
            former[node.address] = Former(id: node.id, looks: Self.patience)
        }
        for address in former.keys where present.contains(address) { former[address] = nil }
    }

    /// An address has answered, and is asked no more. Nil for the node that was there before: it was taken
    /// out as intended.
    mutating func answered(_ address: NodeAddress, id: String) -> Outsider? {
        guard let entry = former.removeValue(forKey: address), entry.id != id else { return nil }
        return Outsider(
            address: address, id: id, expected: entry.id,
            reason: "another server answers at the address of a node that the cluster's others have given up")
    }
}
