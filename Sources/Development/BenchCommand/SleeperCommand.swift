import ArgumentParser
import Lapse
import Logging

/// The subject of a row: the library, with a handler that takes its time.
struct SleeperCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sleeper", abstract: "Handles every expiration by waiting for a millisecond.", shouldDisplay: false
    )

    @Argument(help: "The server.") var redis: String
    @Option(help: "Handlers at once.") var concurrency = 64

    @concurrent func run() async throws {
        var configuration = ProcessorConfiguration(redis: [redis])
        configuration.concurrency = concurrency
        configuration.leaseTTL = .seconds(2)
        let processor = ExpirationProcessor(configuration: configuration, logger: Logger(label: "sleeper")) { _, _ in
            try await Task.sleep(for: .milliseconds(1))
        }
        try await processor.run()
    }
}
