import Foundation
import Lapse
import LeaderElection
import Logging
import ServiceLifecycle
import UnixSignals

/// Releases shopping carts when their keys expire: `CartExample redis://127.0.0.1:6379`.
///
/// Start it two or three times: one of them leads and releases, the others stand by.
@main
struct CartExample {
    static func main() async throws {
        let named = CommandLine.arguments.dropFirst().first ?? ProcessInfo.processInfo.environment["LAPSE_REDIS"]
        let redis = named ?? "redis://127.0.0.1:6379"
        let logger = Logger(label: "carts")
        let carts = Carts()

        var configuration = ProcessorConfiguration(redis: [redis], name: "carts", match: ["cart:*"])
        configuration.leaseTTL = .seconds(2)
        let processor = ExpirationProcessor(configuration: configuration, logger: logger) { expiration, context in
            try await carts.release(expiration.key, token: context.fencingToken)
        }
        let group = ServiceGroup(services: [processor], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        try await group.run()
    }
}

/// Stands for a database that keeps the largest token it has seen and refuses a smaller one.
actor Carts {
    struct StaleToken: Error {}

    private var largest = FencingToken(rawValue: 0)

    func release(_ key: ExpirationKey, token: FencingToken) throws {
        guard token >= largest else { throw StaleToken() }
        largest = token
        FileHandle.standardOutput.write(Data("released \(key) token=\(token)\n".utf8))
    }
}
