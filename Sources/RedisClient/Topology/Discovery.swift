internal import NIOCore
package import RESP

/// One look at the servers, and what the nodes asked say of themselves.
package struct TopologyPoll: Sendable {
    package var topology: Topology
    /// The role each answering node believes it has.
    package var ownWord: [NodeAddress: Topology.Role]
    /// Counts the looks; a later look has a larger number.
    package var number = 0

    package init(topology: Topology, ownWord: [NodeAddress: Topology.Role], number: Int = 0) {
        self.topology = topology
        self.ownWord = ownWord
        self.number = number
    }

    /// Whether a node has answered, and agrees with the others about its role.
    package func settles(_ address: NodeAddress) -> Bool {
        guard let own = ownWord[address] else { return false }
        guard let node = topology.node(at: address), own == node.role else { return isCopy(address, own) }
        // The Sentinels still name the former master, while they make another one.
        guard topology.mode == .sentinel, own == .master else { return true }
        return !ownWord.contains { $0.value == .master && topology.node(at: $0.key)?.address != node.address }
    }

    /// Without Sentinels and a cluster nobody decides between two masters: while the one that is known answers as such, another is
    /// a copy.
    private func isCopy(_ address: NodeAddress, _ own: Topology.Role) -> Bool {
        guard topology.mode == .standalone, own == .master, let master = topology.owner(of: 0) else { return false }
        return master.address != address && ownWord[master.address] == .master
    }
}

/// How a kind of deployment is looked at.
protocol Discovery: Sendable {
    /// Looks once. `known` is the last view; nodes in `doubts` are asked too, and a majority with them.
    func look(known: Topology?, doubts: Set<NodeAddress>, turn: Int) async throws(RedisError) -> TopologyPoll
}

/// The first look waits for connections to be made, or to say why not; later ones must not be held up by one node.
func patience(_ known: Topology?) -> Duration? { known == nil ? nil : .seconds(1) }

/// Asks several nodes the same at once; returns the answers that came, or throws the most telling error.
func askAll(
    _ addresses: [NodeAddress], _ nodes: NodeDirectory, _ command: RESPCommand, timeout: Duration?
) async throws(RedisError) -> [(NodeAddress, RESPValue)] {
    let results = await withTaskGroup(of: (NodeAddress, Result<RESPValue, RedisError>).self) { group in
        for address in addresses {
            group.addTask {
                do throws(RedisError) {
                    return (address, .success(try await nodes[address].send(command, timeout: timeout)))
                } catch {
                    return (address, .failure(error))
                }
            }
        }
        return await group.reduce(into: []) { $0.append($1) }
    }
    var answers: [(NodeAddress, RESPValue)] = []
    var failure: RedisError?
    for (address, result) in results {
        switch result {
        case .success(let value): answers.append((address, value))
        case .failure(let error) where failure == nil || error.isPermanent: failure = error
        case .failure: break
        }
    }
    if answers.isEmpty { throw failure ?? RedisError(.noNode, node: nil, "no Redis address is known") }
    return answers.sorted { $0.0 < $1.0 }
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

/// One field of an INFO reply: nothing but its line is looked at, which counts where every node is asked each second.
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
