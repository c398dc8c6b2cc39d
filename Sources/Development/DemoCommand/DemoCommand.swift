import Console
import Demonstration
import Glibc
import Lapse
import LapseHandlers
import Logging

/// `scripts/demo`: what `lapse demo` shows, without what it does not show.
///
/// The admin port, the other stores, the doctor and the options bring a third of what `lapse` compiles.
/// Its replicas are this program too: the library with the handler `ndjson`, as `lapse run` puts them
/// together.
@main
struct DemoCommand {
    static func main() async {
        StandardStream.occupyClosed()
        // A reader that has gone away is an error of the write, not the end of the process.
        _ = signal(SIGPIPE, SIG_IGN)
        Glibc.exit(await end(of: Array(CommandLine.arguments.dropFirst())))
    }

    @concurrent
    private static func end(of arguments: [String]) async -> Int32 {
        do {
            guard arguments.first == "run" else { return try await Demo.toItsEnd() }
            try await replica(Array(arguments.dropFirst()))
            return 0
        } catch {
            StandardStream.errors.write("lapse-demo: \(error)")
            return 70
        }
    }

    /// Reads what the demonstration gives to `lapse run`; it starts nothing else.
    private static func replica(_ arguments: [String]) async throws {
        func value(_ option: String) -> String? {
            arguments.firstIndex(of: option).flatMap { $0 + 1 < arguments.count ? arguments[$0 + 1] : nil }
        }
        LoggingSystem.bootstrap { _ in LineLogHandler(format: .json, level: .info) }
        let logger = Logger(label: "lapse")
        let redis = (value("--redis") ?? "").split(separator: ",").map(String.init)
        var configuration = ProcessorConfiguration(redis: redis, name: value("--name") ?? "demo")
        configuration.id = value("--id") ?? configuration.id
        configuration.leaseTTL = .seconds(2)
        let handler = BuiltInHandler.ndjson.handler(
            .init(replica: configuration.id, logger: logger, onBroken: { _ in _exit(70) }))
        try await ExpirationProcessor(configuration: configuration, logger: logger, handling: handler).run()
    }
}
