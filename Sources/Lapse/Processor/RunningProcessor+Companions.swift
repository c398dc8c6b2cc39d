import NIOPosix
import RedisClient

/// What a processor has only with companion rules.
extension RunningProcessor {
    /// The databases whose expirations are wanted.
    static func databases(_ configuration: ProcessorConfiguration, _ deployment: Deployment) -> [Int] {
        configuration.databases.isEmpty ? [deployment.database ?? 0] : configuration.databases
    }

    /// Connections of their own: a large value must not hold up the commands on which everything else
    /// waits.
    static func companionDirectories(
        _ configuration: ProcessorConfiguration, _ deployment: Deployment, _ threads: ProcessorThreads
    ) -> [UInt16: NodeDirectory] {
        guard !configuration.companions.isEmpty else { return [:] }
        var directories: [UInt16: NodeDirectory] = [:]
        for database in Set(databases(configuration, deployment)) {
            var settings = deployment.settings(for: "companion", configuration)
            settings.database = database
            directories[UInt16(database)] = NodeDirectory(settings: settings, on: threads.control)
        }
        return directories
    }

    func companionParts(
        _ rules: CompanionRules, _ topology: Topology, _ dispatcher: Dispatcher
    ) -> (Companions?, Reconciler?) {
        guard !rules.isEmpty else { return (nil, nil) }
        let clients = companions.mapValues { KeyedClient(nodes: $0, watch: watch, on: threads.control.any()) }
        let values = Companions(
            rules, clients: clients, isCluster: topology.mode == .cluster, logger: logger,
            disclosure: configuration.logKeys)
        let dependencies = MasterSweep.Dependencies(
            companions: values, directories: companions, dispatcher: dispatcher, metrics: metrics, logger: logger)
        var limits = ReconcileMachine.Limits()
        limits.interval = configuration.reconcileInterval
        let reconciler = Reconciler(
            dependencies, limits: limits, watch: watch, logs: logs, on: threads.control.any())
        return (values, reconciler)
    }
}
