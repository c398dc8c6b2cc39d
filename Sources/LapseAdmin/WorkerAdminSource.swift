import FoundationEssentials
package import Lapse

/// Answers the admin port's questions from a worker.
package struct WorkerAdminSource: AdminSource {
    private let worker: ExpirationWorker

    package init(_ worker: ExpirationWorker) { self.worker = worker }

    /// A worker has no lease to fail: while it answers, it works.
    package func liveness() -> String? { nil }

    package func readiness() -> [String] { worker.readiness() }

    package func notices() -> [String] { [] }

    /// The page at `/` is about a group of replicas; a worker belongs to none.
    package func figures() -> ViewFigures? { nil }
    package func view(samples: Int) async -> GroupView? { nil }

    package func statusJSON() -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(worker.status)).map { Array($0) } ?? Array("{}".utf8)
    }

    package func refreshGauges() { worker.refreshMetrics() }
}
