/// Under which address each node of a cluster is reached, by the answers of several nodes.
///
/// A node may be wrong about itself: it keeps the address that it once had, or one that only it can
/// reach. The others talk to it, so their word counts before its own.
struct AnnouncedAddresses {
    private var addresses: [String: NodeAddress] = [:]

    init(_ answers: [ClusterNodes], map: AddressMap, useHostNames: Bool, known: Topology?) {
        var voices: [String: [NodeAddress: Int]] = [:]
        var ownWord: [String: NodeAddress] = [:]
        for line in answers.lazy.flatMap(\.lines) {
            var address = line.node.address
            if useHostNames, let name = line.hostName { address.host = name }
            if line.isMyself {
                ownWord[line.node.id] = address
            } else {
                voices[line.node.id, default: [:]][address, default: 0] += 1
            }
        }
        let inUse = Dictionary(known?.nodes.map { ($0.id, $0.address) } ?? [], uniquingKeysWith: { first, _ in first })
        for (id, own) in ownWord where voices[id] == nil { voices[id] = [own: 1] }
        var announced: [String: NodeAddress] = [:]
        for (id, counts) in voices {
            func weight(_ address: NodeAddress) -> (Int, Int, Int) {
                (counts[address] ?? 0, map(address) == inUse[id] ? 1 : 0, address == ownWord[id] ? 1 : 0)
            }
            announced[id] = counts.keys.sorted().max { weight($0) < weight($1) }
        }
        addresses = announced.mapValues { map($0) }
        part(announced, answers)
    }

    subscript(id: String) -> NodeAddress? { addresses[id] }

    /// A rule of the address map that sends two nodes to one address is not followed for the one that does
    /// not answer there.
    private mutating func part(_ announced: [String: NodeAddress], _ answers: [ClusterNodes]) {
        let answering = Dictionary(
            answers.compactMap { answer in answer.myself.map { (answer.asked, $0.id) } },
            uniquingKeysWith: { first, _ in first })
        for (address, ids) in Dictionary(grouping: addresses.keys, by: { addresses[$0] }) where ids.count > 1 {
            guard let address else { continue }
            let ids = ids.sorted()
            let owner = ids.first { answering[address] == $0 } ?? ids.first { announced[$0] == address } ?? ids[0]
            for id in ids where id != owner { addresses[id] = announced[id] }
        }
    }
}
