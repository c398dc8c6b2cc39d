/// The report for scripts: every key is always there, with null for what is not known. Written out,
/// since a synthesized encoding leaves such keys out.
extension GroupReport: Encodable {
    /// It changes when a key goes or changes its meaning, not when one is added.
    static let formatVersion = 1

    private enum CodingKeys: String, CodingKey {
        case formatVersion, name, topology, state, leader, since, sinceSeconds, term, token, leaseRemainingSeconds
        case registers, unreadRegisters, replicas, nodes, pause
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(Self.formatVersion, forKey: .formatVersion)
        try container.encode(name, forKey: .name)
        try container.encode(topology, forKey: .topology)
        try container.encode(state, forKey: .state)
        try container.encode(leader, forKey: .leader)
        try container.encode(since, forKey: .since)
        try container.encode(sinceSeconds, forKey: .sinceSeconds)
        try container.encode(term, forKey: .term)
        try container.encode(token, forKey: .token)
        try container.encode(leaseRemainingSeconds, forKey: .leaseRemainingSeconds)
        try container.encode(registers, forKey: .registers)
        try container.encode(unreadRegisters, forKey: .unreadRegisters)
        try container.encode(replicas, forKey: .replicas)
        try container.encode(nodes, forKey: .nodes)
        try container.encode(pause, forKey: .pause)
    }
}

extension GroupReport.Replica: Encodable {
    private enum CodingKeys: String, CodingKey { case id, role, seenSecondsAgo, version, behind }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(leads ? "leader" : "follower", forKey: .role)
        try container.encode(seenSecondsAgo, forKey: .seenSecondsAgo)
        try container.encode(version, forKey: .version)
        try container.encode(behind, forKey: .behind)
    }
}

extension GroupReport.Register: Encodable {
    private enum CodingKeys: String, CodingKey { case key, node, holder, leaseRemainingSeconds, error }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(key, forKey: .key)
        try container.encode(node, forKey: .node)
        try container.encode(holder, forKey: .holder)
        try container.encode(leaseRemainingSeconds, forKey: .leaseRemainingSeconds)
        try container.encode(error, forKey: .error)
    }
}

extension GroupReport.Node: Encodable {
    private enum CodingKeys: String, CodingKey {
        case address, role, runID = "runId", expired, through, pending, backlog, account, error
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(address, forKey: .address)
        try container.encode(role, forKey: .role)
        try container.encode(runID, forKey: .runID)
        try container.encode(expired, forKey: .expired)
        try container.encode(through, forKey: .through)
        try container.encode(pending, forKey: .pending)
        try container.encode(backlog, forKey: .backlog)
        try container.encode(account, forKey: .account)
        try container.encode(error, forKey: .error)
    }
}
