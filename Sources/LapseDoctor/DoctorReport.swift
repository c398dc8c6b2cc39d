import RedisClient

/// What the doctor says: the servers, the findings worst first, and what was mended.
package struct DoctorReport: Sendable {
    package let facts: DeploymentFacts
    package let findings: [DoctorFinding]
    package var repairs: [DoctorRepair] = []

    package init(_ facts: DeploymentFacts) {
        self.facts = facts
        findings = Checkup.findings(facts)
    }

    /// Nothing breaks delivery or the lease.
    package var isHealthy: Bool { !findings.contains { $0.severity == .breaks } }

    /// 0 healthy, 1 with findings that break delivery or the lease.
    package var exitCode: Int32 { isHealthy ? 0 : 1 }

    func findings(at node: NodeFacts) -> [DoctorFinding] { findings.filter { $0.node == node.address } }
}
