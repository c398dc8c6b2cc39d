import RESP

/// The server processes behind a set of addresses: one process may answer at several.
struct ServerProcesses {
    /// Of each address that answered.
    var runIDs: [NodeAddress: String] = [:]

    /// - Parameter server: what INFO server said there. A server without a run ID is known by its address
    ///   alone.
    mutating func add(_ address: NodeAddress, server: RESPValue) {
        if let runID = infoField("run_id", in: server), !runID.isEmpty { runIDs[address] = runID }
    }

    /// For every address that leads to a process known by another address: that address. An address by
    /// which the process was known before stays; else the first in the order given counts, then the
    /// smallest. An address that is silent goes on leading to the process that was met there while that one
    /// answers elsewhere: a feed may still listen through it.
    func aliases(known: Topology?, order: [NodeAddress]) -> [NodeAddress: NodeAddress] {
        var aliases: [NodeAddress: NodeAddress] = [:]
        var mains: [String: NodeAddress] = [:]
        let rank = Dictionary(order.enumerated().map { ($1, $0) }, uniquingKeysWith: min)
        for (runID, shared) in Dictionary(grouping: runIDs.keys, by: { runIDs[$0] ?? "" }) {
            let sorted = shared.sorted { (rank[$0] ?? .max, $0) < (rank[$1] ?? .max, $1) }
            let main = sorted.first { address in known?.nodes.contains { $0.address == address } ?? false } ?? sorted[0]
            for address in shared where address != main { aliases[address] = main }
            mains[runID] = main
        }
        for address in known.map({ $0.nodes.map(\.address) + $0.aliases.keys }) ?? [] where runIDs[address] == nil {
            if let runID = known?.node(at: address)?.runID, let main = mains[runID] { aliases[address] = main }
        }
        return aliases
    }
}
