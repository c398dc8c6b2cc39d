import RESP

/// One node's answer to `CLUSTER NODES`, and the merging of several such answers into one view.
///
/// Source: Redis documentation of CLUSTER NODES (serialization format).
package struct ClusterNodes: Sendable {
    struct Line: Sendable {
        var node: Topology.Node
        var isMyself: Bool
        var hostName: String?
        var slots: [ClosedRange<UInt16>]
    }

    private(set) var lines: [Line] = []
    /// Where the answer came from.
    let asked: NodeAddress
    /// More nodes than any cluster has: Redis recommends a thousand at most.
    private static let limit = 8192

    /// Reads the text; lines of nodes without an address (`noaddr`, `handshake`) are passed over.
    ///
    /// - Parameter asked: where the answer came from, for nodes that announce no host.
    package init(_ text: String, asked: NodeAddress) {
        self.asked = asked
        for line in text.split(whereSeparator: \.isNewline).prefix(Self.limit) {
            if let line = Self.line(line.split(separator: " "), asked: asked) { lines.append(line) }
        }
    }

    /// The node that answered.
    package var myself: Topology.Node? { lines.first { $0.isMyself }?.node }

    /// The addresses of the other nodes, by ID, as this one has them.
    package var others: [String: NodeAddress] {
        Dictionary(lines.filter { !$0.isMyself }.map { ($0.node.id, $0.node.address) }, uniquingKeysWith: { $1 })
    }

    private static func line(_ fields: [Substring], asked: NodeAddress) -> Line? {
        guard fields.count >= 8 else { return nil }
        let flags = Set(fields[2].split(separator: ","))
        guard !flags.contains("noaddr"), !flags.contains("handshake") else { return nil }
        let parts = fields[1].split(separator: ",", omittingEmptySubsequences: false)
        guard let endpoint = parts.first?.split(separator: "@").first, let colon = endpoint.lastIndex(of: ":"),
            let port = Int(endpoint[endpoint.index(after: colon)...]), (0...65535).contains(port)
        else { return nil }
        let host = endpoint[..<colon]
        let hostName = parts.count > 1 && !parts[1].isEmpty && parts[1] != "?" ? String(parts[1]) : nil
        var node = Topology.Node(
            id: String(fields[0]),
            address: NodeAddress(host: host.isEmpty ? asked.host : String(host), port: port == 0 ? asked.port : port),
            role: flags.contains("master") ? .master : .replica)
        node.masterID = fields[3] == "-" ? nil : String(fields[3])
        node.isFailing = flags.contains("fail") || flags.contains("fail?")
        node.configEpoch = PlausibleCount.read(fields[6]) ?? 0
        var slots: [ClosedRange<UInt16>] = []
        for field in fields[8...] {
            if field.hasPrefix("[") {
                // [slot-<-from] is being imported; [slot->-to] is on its way out and still ours.
                if let arrow = field.firstRange(of: "-<-"), let slot = UInt16(field.dropFirst()[..<arrow.lowerBound]) {
                    node.importing.insert(slot)
                }
                continue
            }
            let ends = field.split(separator: "-").compactMap { UInt16($0) }
            if let low = ends.first, let high = ends.last, low <= high, high < Topology.slotCount {
                slots.append(low...high)
            }
        }
        return Line(node: node, isMyself: flags.contains("myself"), hostName: hostName, slots: slots)
    }

    /// Merges several nodes' answers: for each node and each slot the claim of the highest configuration
    /// epoch counts, as in the cluster itself. A master that was frozen while another took over therefore
    /// loses, whatever it says.
    ///
    /// - Parameters:
    ///   - useHostNames: connect by announced host name where there is one (TLS certificates carry names).
    ///   - known: the view before this one: between addresses with as many voices the one in use stays.
    package static func merge(
        _ answers: [ClusterNodes], map: AddressMap, useHostNames: Bool, known: Topology? = nil
    ) -> Topology {
        var nodes: [String: Line] = [:]
        var owner = [String?](repeating: nil, count: Topology.slotCount)
        var claim = [UInt64](repeating: 0, count: Topology.slotCount)
        var importing: [String: Set<UInt16>] = [:]
        for answer in answers {
            for line in answer.lines {
                if line.isMyself { importing[line.node.id] = line.node.importing }
                if let known = nodes[line.node.id], !beats(line, known) { continue }
                nodes[line.node.id] = line
            }
        }
        for answer in answers {
            for line in answer.lines where line.node.role == .master {
                for range in line.slots {
                    for slot in range where owner[Int(slot)] == nil || line.node.configEpoch > claim[Int(slot)] {
                        owner[Int(slot)] = line.node.id
                        claim[Int(slot)] = line.node.configEpoch
                    }
                }
            }
        }
        let addresses = AnnouncedAddresses(answers, map: map, useHostNames: useHostNames, known: known)
        let merged = nodes.values.map { line in
            var node = line.node
            node.announcedAs = [node.address]
            if let name = line.hostName {
                node.announcedAs.append(NodeAddress(host: name, port: node.address.port))
            }
            node.address = addresses[node.id] ?? map(node.address)
            node.importing = importing[node.id] ?? []
            return node
        }
        return Topology(cluster: merged, owner: owner)
    }

    /// Of two descriptions of one node the later configuration counts; at the same epoch what others say of
    /// a failing node, else its own word.
    private static func beats(_ new: Line, _ old: Line) -> Bool {
        if new.node.configEpoch != old.node.configEpoch { return new.node.configEpoch > old.node.configEpoch }
        if new.node.isFailing != old.node.isFailing { return old.isMyself ? false : new.isMyself || new.node.isFailing }
        return new.isMyself && !old.isMyself
    }
}
