import Synchronization
import ThrowawayRedis

@testable import Lapse

/// A processor in this process, and what its handler was given.
final class RunningHandler: Sendable {
    private let list = Mutex<[Expiration]>([])
    private let running = Mutex<ExpirationProcessor?>(nil)
    let log = CapturedLog()

    /// The processor while it runs.
    var status: ProcessorStatus? { running.withLock { $0 }?.status }

    var handled: [Expiration] { list.withLock { $0 } }
    var keys: [String] { handled.map { "\($0.key)" } }

    /// Runs a processor until `body` is done. `handler` is called after the expiration was noted.
    func run(
        _ configuration: ProcessorConfiguration, inBatches: Bool = false,
        handler: @escaping @Sendable (Expiration) async throws -> Void = { _ in },
        _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        let processor =
            inBatches
            ? ExpirationProcessor.inBatches(configuration: configuration, logger: log.logger) { batch, _ in
                for expiration in batch {
                    self.list.withLock { $0.append(expiration) }
                    try await handler(expiration)
                }
                return .handled
            }
            : ExpirationProcessor(configuration: configuration, logger: log.logger) { expiration, _ in
                self.list.withLock { $0.append(expiration) }
                try await handler(expiration)
            }
        running.withLock { $0 = processor }
        try await processor.run(until: body)
    }

    /// Waits until each of the keys was handled.
    func waitFor(_ keys: some Collection<String> & Sendable) async throws {
        try await waitUntil("\(keys.count) keys are handled", within: .seconds(40)) {
            let missing = Set(keys).subtracting(self.keys)
            return missing.isEmpty ? nil : "\(missing.count) are missing"
        }
    }
}

extension Expiration {
    var text: String? { value.map { String(decoding: $0, as: UTF8.self) } }
}
