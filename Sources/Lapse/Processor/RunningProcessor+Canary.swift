import LeaderElection
import NIOPosix
import RedisClient
import Synchronization

/// What a processor has only where canaries are set.
extension RunningProcessor {
    static func canaryDirectory(
        _ configuration: ProcessorConfiguration, _ deployment: Deployment, _ threads: ProcessorThreads
    ) -> NodeDirectory {
        var settings = deployment.settings(for: "canary", configuration)
        // Hints are listened to in the databases that are wanted. Elsewhere a canary needs no right to SELECT.
        if configuration.punctual == .track { settings.database = databases(configuration, deployment).min() ?? 0 }
        return NodeDirectory(settings: settings, on: threads.control)
    }

    func canaries() -> Canaries? {
        guard let interval = configuration.canary else { return nil }
        return Canaries(
            .init(
                name: configuration.name, interval: interval, patience: configuration.canaryPatience,
                directory: canaryNodes, loop: threads.control.any(), watch: watch,
                process: { [weak self] in self?.processListenedTo(at: $0) }, metrics: metrics, logger: logger))
    }

    func processListenedTo(at address: NodeAddress) -> String? {
        feedStatuses(of: address).first(where: \.isSubscribed)?.runID
    }
}
