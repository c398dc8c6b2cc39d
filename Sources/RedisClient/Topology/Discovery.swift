internal import NIOCore
package import RESP

/// One look at the servers, and what the nodes asked say of themselves.
package struct TopologyPoll: Sendable {
    package var topology: Topology
    /// The role each answering node believes it has.
    package var ownWord: [NodeAddress: Topology.Role]
    /// Counts the looks; a later look has a larger number.
    package var number = 0
    /// Servers that answered and do not belong to the deployment.
    package var outsiders: [Outsider] = []
    /// Why those that decide about roles could not be asked: the servers' own words, which were beyond
    /// doubt, had to do.
    package var trouble: RedisError?

    package init(
        topology: Topology, ownWord: [NodeAddress: Topology.Role], number: Int = 0, outsiders: [Outsider] = [],
        trouble: RedisError? = nil
    ) {
        self.topology = topology
        self.ownWord = ownWord
        self.number = number
        self.outsiders = outsiders
        self.trouble = trouble
    }

    /// Whether a node has answered, and agrees with the others about its role.
    package func settles(_ address: NodeAddress) -> Bool {
        let node = topology.node(at: address)
        guard let own = ownWord[address] ?? node.flatMap({ ownWord[$0.address] }) else { return false }
        guard let node, own == node.role else { return isCopy(address, own) }
        // The Sentinels still name the former master, while they make another one.
        guard topology.mode == .sentinel, own == .master else { return true }
        return !ownWord.contains { $0.value == .master && topology.node(at: $0.key)?.address != node.address }
    }

    /// Without Sentinels and a cluster nothing decides between two masters: while the one that is known
    /// answers as such, another is a copy.
    private func isCopy(_ address: NodeAddress, _ own: Topology.Role) -> Bool {
        guard topology.mode == .standalone, own == .master, let master = topology.owner(of: 0) else { return false }
        return master.address != address && ownWord[master.address] == .master
    }
}

/// A server that answered at an address of the deployment and does not belong to it: nothing that it
/// says counts.
package struct Outsider: Sendable, Hashable {
    package var address: NodeAddress
    /// What it calls itself: its node ID in a cluster, else its run ID.
    package var id: String
    /// The server that was to answer there, where that is known.
    package var expected: String?
    package var reason: String

    package init(address: NodeAddress, id: String, expected: String? = nil, reason: String) {
        self.address = address
        self.id = id
        self.expected = expected
        self.reason = reason
    }
}

/// How a kind of deployment is looked at.
protocol Discovery: Sendable {
    /// Looks once. `known` is the last view; nodes in `doubts` are asked too, and a majority with them.
    func look(known: Topology?, doubts: Set<NodeAddress>, turn: Int) async throws(RedisError) -> TopologyPoll
}

/// The first look waits for connections to be made, or to say why not; later ones must not be held up
/// by one node.
func patience(_ known: Topology?) -> Duration? { known == nil ? nil : .seconds(1) }

/// Asks several nodes the same at once; returns the answers that came, or throws the most telling
/// error.
func askAll(
    _ addresses: [NodeAddress], _ nodes: NodeDirectory, _ command: RESPCommand, timeout: Duration?
) async throws(RedisError) -> [(NodeAddress, RESPValue)] {
    try await askAll(addresses, nodes, [command], timeout: timeout).map { ($0.node, $0.replies[0]) }
}

/// The same with several commands in one round trip. A node that refuses one of them has not answered.
func askAll(
    _ addresses: [NodeAddress], _ nodes: NodeDirectory, _ commands: [RESPCommand], timeout: Duration?
) async throws(RedisError) -> [(node: NodeAddress, replies: [RESPValue])] {
    let results = await withTaskGroup(of: (NodeAddress, Result<[RESPValue], RedisError>).self) { group in
        for address in addresses {
            group.addTask {
                do throws(RedisError) {
                    let replies = try await nodes[address].send(commands, timeout: timeout)
                    if let error = replies.lazy.compactMap(\.error).first { throw RedisError(error, node: address) }
                    guard replies.count == commands.count else {
                        throw RedisError(.protocolViolation, node: address, "a reply is missing")
                    }
                    return (address, .success(replies))
                } catch {
                    return (address, .failure(error))
                }
            }
        }
        return await group.reduce(into: []) { $0.append($1) }
    }
    var answers: [(node: NodeAddress, replies: [RESPValue])] = []
    var failures: [RedisError] = []
    for (address, result) in results {
        switch result {
        case .success(let replies): answers.append((address, replies))
        case .failure(let error): failures.append(error)
        }
    }
    if answers.isEmpty { throw RedisError.of(failures) }
    return answers.sorted { $0.node < $1.node }
}

/// The fields of an INFO reply.
package func infoFields(_ value: RESPValue) -> [String: String] {
    var fields: [String: String] = [:]
    for line in (value.string ?? "").split(whereSeparator: \.isNewline) where !line.hasPrefix("#") {
        guard let colon = line.firstIndex(of: ":") else { continue }
        fields[String(line[..<colon])] = String(line[line.index(after: colon)...])
    }
    return fields
}

/// A count in an INFO reply; nil when the field is missing, no number, or cannot be true.
package func infoCount(_ name: String, in value: RESPValue) -> UInt64? {
    infoField(name, in: value).flatMap { PlausibleCount.read($0) }
}

/// One field of an INFO reply: nothing but its line is looked at, which counts where every node is
/// asked each second.
package func infoField(_ name: String, in value: RESPValue) -> String? {
    guard let bytes = value.bytes else { return nil }
    let view = bytes.readableBytesView
    let prefix = Array("\(name):".utf8)
    var line = view.startIndex
    while line < view.endIndex {
        let end = view[line...].firstIndex { $0 == UInt8(ascii: "\r") || $0 == UInt8(ascii: "\n") } ?? view.endIndex
        if view[line..<end].starts(with: prefix) {
            return String(decoding: view[line..<end].dropFirst(prefix.count), as: UTF8.self)
        }
        line = end == view.endIndex ? end : view.index(after: end)
    }
    return nil
}
