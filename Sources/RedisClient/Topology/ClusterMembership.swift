/// Tells the members of one cluster from servers that merely answer at one of its addresses.
///
/// An answer counts only if its node is known to nodes that are trusted, and knows them: addresses are
/// used again by nodes of other clusters, whose word on slots would otherwise send the lease there.
package struct ClusterMembership {
    package struct Answer {
        package let asked: NodeAddress
        package let nodes: ClusterNodes

        package init(asked: NodeAddress, nodes: ClusterNodes) {
            self.asked = asked
            self.nodes = nodes
        }
    }

    package private(set) var members: [Answer] = []
    package private(set) var outsiders: [Outsider] = []

    /// - Parameters:
    ///   - known: the cluster as it was last seen; nil at the first look, which trusts the servers named by
    ///     the user.
    ///   - order: of the servers named by the user; between two clusters of equal weight the earlier one
    ///     counts.
    package init(_ answers: [Answer], known: Topology?, order: [NodeAddress]) {
        let trusted = Set(known?.nodes.map(\.id) ?? [])
        let groups = Self.groups(answers.filter { $0.nodes.myself != nil })
        func weight(_ group: [Answer]) -> (trusted: Int, knows: Int, count: Int, order: Int) {
            // A node may have been asked at two addresses.
            let ids = Set(group.compactMap(\.nodes.myself?.id))
            let listed = Set(group.flatMap { $0.nodes.lines.map(\.node.id) })
            return (
                ids.intersection(trusted).count, listed.intersection(trusted).count, ids.count,
                -(group.compactMap { order.firstIndex(of: $0.asked) }.min() ?? order.count)
            )
        }
        let best = groups.map { (group: $0, weight: weight($0)) }.max { $0.weight < $1.weight }
        if let best, known == nil || Self.isTrusted(best.weight, of: trusted.count) { members = best.group }
        let inside = Set(members.map(\.asked))
        outsiders = answers.filter { !inside.contains($0.asked) }.map { answer in
            let expected = known?.node(at: answer.asked)?.id
            return Outsider(
                address: answer.asked, id: answer.nodes.myself?.id ?? "unknown",
                expected: expected == answer.nodes.myself?.id ? nil : expected,
                reason: known == nil
                    ? "the other servers given do not know this node: it belongs to another cluster"
                    : "this node and the cluster's others do not know each other")
        }.sorted { $0.address < $1.address }
    }

    /// A node alone must still know half of the cluster: one that was reset and met another cluster keeps
    /// its ID.
    private static func isTrusted(_ weight: (trusted: Int, knows: Int, count: Int, order: Int), of count: Int) -> Bool {
        weight.trusted > 1 || weight.trusted == 1 && weight.knows * 2 >= count
    }

    /// Answers that know each other, directly or by way of others.
    private static func groups(_ answers: [Answer]) -> [[Answer]] {
        let listed = answers.map { Set($0.nodes.lines.map(\.node.id)) }
        let own = answers.map { $0.nodes.myself?.id ?? "" }
        var groups: [[Int]] = []
        for index in answers.indices {
            let isAcquainted = { (other: Int) in
                listed[index].contains(own[other]) && listed[other].contains(own[index])
            }
            var merged = [index]
            groups.removeAll { group in
                guard group.contains(where: isAcquainted) else { return false }
                merged += group
                return true
            }
            groups.append(merged)
        }
        return groups.map { $0.sorted().map { answers[$0] } }
    }
}
