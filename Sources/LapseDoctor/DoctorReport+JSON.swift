import Lapse
import RedisClient

/// The report for scripts: every key is always there, with null for what is not known.
extension DoctorReport: Encodable {
    /// It changes when a key goes or changes its meaning, not when one is added.
    static let formatVersion = 1

    private enum Key: String, CodingKey {
        case formatVersion, healthy, topology, name, leaseTtlSeconds, uncoveredSlots, registers, nodes, findings,
            repairs
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(Self.formatVersion, forKey: .formatVersion)
        try container.encode(isHealthy, forKey: .healthy)
        try container.encode(facts.mode.rawValue, forKey: .topology)
        try container.encode(facts.name, forKey: .name)
        try container.encode(facts.leaseTTL / .seconds(1), forKey: .leaseTtlSeconds)
        try container.encode(facts.uncoveredSlots, forKey: .uncoveredSlots)
        try container.encode(facts.registers.map(RegisterEntry.init), forKey: .registers)
        try container.encode(facts.nodes.map { NodeEntry($0, findings: findings(at: $0).count) }, forKey: .nodes)
        try container.encode(findings.map(FindingEntry.init), forKey: .findings)
        try container.encode(repairs.map(RepairEntry.init), forKey: .repairs)
    }
}

private struct RegisterEntry: Encodable {
    let register: DeploymentFacts.Register

    private enum Key: String, CodingKey { case key, node }

    init(_ register: DeploymentFacts.Register) { self.register = register }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(register.key, forKey: .key)
        try container.encode(register.node?.description, forKey: .node)
    }
}

private struct NodeEntry: Encodable {
    let facts: NodeFacts
    let findings: Int

    private enum Key: String, CodingKey {
        case address, role, slots, answers, answerSeconds, version, uptimeSeconds, notifications, volatileKeys
        case predictedLagSeconds, findings
    }

    init(_ facts: NodeFacts, findings: Int) {
        self.facts = facts
        self.findings = findings
    }

    func encode(to encoder: any Encoder) throws {
        var time: Duration?
        if case .answered(let took) = facts.contact { time = took }
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(facts.address.description, forKey: .address)
        try container.encode(facts.roleWord, forKey: .role)
        try container.encode(facts.slotCount, forKey: .slots)
        try container.encode(facts.isAnswering, forKey: .answers)
        try container.encode(time.map { $0 / .seconds(1) }, forKey: .answerSeconds)
        try container.encode(facts.info["redis_version"], forKey: .version)
        try container.encode(facts.uptime.map { $0 / .seconds(1) }, forKey: .uptimeSeconds)
        try container.encode(facts.notifications, forKey: .notifications)
        try container.encode(facts.volatileKeys, forKey: .volatileKeys)
        try container.encode(PredictedLag.median(facts).map { $0 / .seconds(1) }, forKey: .predictedLagSeconds)
        try container.encode(findings, forKey: .findings)
    }
}

private struct FindingEntry: Encodable {
    let finding: DoctorFinding

    private enum Key: String, CodingKey { case severity, check, node, title, detail, fix }

    init(_ finding: DoctorFinding) { self.finding = finding }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(finding.severity.rawValue, forKey: .severity)
        try container.encode(finding.check, forKey: .check)
        try container.encode(finding.node?.description, forKey: .node)
        try container.encode(finding.title, forKey: .title)
        try container.encode(finding.detail, forKey: .detail)
        try container.encode(finding.fix, forKey: .fix)
    }
}

private struct RepairEntry: Encodable {
    let node: String
    let command: String
    let applied: Bool
    let detail: String

    init(_ repair: DoctorRepair) {
        node = repair.node.description
        command = repair.command
        applied = repair.isApplied
        detail = repair.detail
    }
}
