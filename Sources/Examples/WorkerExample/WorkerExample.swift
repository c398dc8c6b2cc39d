import Foundation
import Lapse
import Logging
import ServiceLifecycle
import UnixSignals

/// Releases carts from a stream, on any number of machines: `WorkerExample redis://127.0.0.1:6379`,
/// beside `lapse run --match 'cart:*' --stream expirations`.
@main
struct WorkerExample {
    static func main() async throws {
        let redis = CommandLine.arguments.dropFirst().first ?? "redis://127.0.0.1:6379"
        let logger = Logger(label: "carts")
        let carts = Carts()

        let configuration = WorkerConfiguration(stream: "expirations", group: "carts", redis: [redis])
        let worker = ExpirationWorker(configuration: configuration, logger: logger) { expiration, context in
            await carts.release(expiration.key, once: context.eventID)
        }
        let group = ServiceGroup(services: [worker], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        try await group.run()
    }
}

/// Stands for a database that keeps which event has released what: an entry may be handled twice, its
/// effect happens once.
actor Carts {
    private var released: Set<String> = []

    func release(_ key: ExpirationKey, once eventID: String) {
        guard released.insert(eventID).inserted else { return }
        FileHandle.standardOutput.write(Data("released \(key) event=\(eventID)\n".utf8))
    }
}
