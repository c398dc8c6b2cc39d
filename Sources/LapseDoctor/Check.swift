/// One rule about a deployment: facts in, findings out, no I/O. What is not known is not found fault
/// with.
package protocol Check: Sendable {
    func findings(_ facts: DeploymentFacts) -> [DoctorFinding]
}

/// Every rule, in the order in which findings of the same weight are told.
package enum Checkup {
    package static let checks: [any Check] = [
        ReachabilityCheck(), SlotsCheck(), RoleCheck(), VersionCheck(), NotificationsCheck(), PermissionsCheck(),
        DeliveryCheck(), AddressesCheck(),
        RegistersCheck(), StoreCheck(), EvictionCheck(), MemoryCheck(), FailoverCheck(), MinReplicasCheck(),
        PersistenceCheck(),
        AgeCheck(), ClocksCheck(), ReplicasCheck(), OutputBufferCheck(), LagCheck(),
        ExpireCycleCheck(), SweepCheck(), LazyFreeCheck(),
        SharedIDsCheck(), StreamKeyCheck(), DeadLetterCheck(),
    ]

    /// The findings of all rules, worst first.
    package static func findings(_ facts: DeploymentFacts) -> [DoctorFinding] {
        let found = checks.flatMap { $0.findings(facts) }
        // Sorted by weight alone, keeping the order of the rules: `sort` does not promise that.
        return DoctorFinding.Severity.allCases.flatMap { severity in found.filter { $0.severity == severity } }
    }
}
