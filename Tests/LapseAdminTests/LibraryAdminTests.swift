import HTTPTypes
import HummingbirdTesting
import Lapse
import LapseAdmin
import Logging
import NIOCore
import Testing

/// The admin port of a program of one's own: made of what is public.
struct LibraryAdminTests {
    /// Keeps the address that the server says it listens on.
    private struct Announced: LogHandler {
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info
        let ports = AsyncStream.makeStream(of: Int.self)

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            guard event.message == "admin port open", let address = event.metadata?["address"] else { return }
            guard let port = "\(address)".split(separator: ":").last.flatMap({ Int($0) }) else { return }
            ports.continuation.yield(port)
        }
    }

    @Test func itTellsOfAProcessorThatHasNotRunYet() async throws {
        let announced = Announced()
        let processor = ExpirationProcessor(configuration: .init()) { _, _ in }
        let server = AdminServer(
            processor, port: 0, registry: PrometheusRegistry(), logger: Logger(label: "test") { _ in announced })
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await server.run() }
            for await port in announced.ports.stream.prefix(1) {
                let client = TestClient(host: "127.0.0.1", port: port)
                client.connect()
                let ready = try await client.get("/readyz")
                #expect(ready.status == .serviceUnavailable)
                #expect(ready.body.map { String(buffer: $0) }?.contains("Redis has not been reached yet") == true)
                let alive = try await client.get("/livez")
                #expect(alive.status == .ok)
                try await client.shutdown()
            }
            tasks.cancelAll()
            try? await tasks.waitForAll()
        }
    }
}
