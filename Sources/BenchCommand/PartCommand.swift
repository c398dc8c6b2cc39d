import ArgumentParser
import Glibc

/// One part of the hot path in this process, without servers: for counting what it allocates, and for a profiler.
struct PartCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "part",
        abstract: "Drives one part of the hot path alone; see scripts/bench-parts.",
        discussion:
            "log: from the bytes of a socket into the log. handler: from the log to a handler that only counts."
    )

    enum Part: String, ExpressibleByArgument, CaseIterable { case log, handler }

    @Argument(help: "log or handler.") var part: Part
    @Option(help: "Expirations.") var events = 1_000_000
    @Option(help: "Handlers at once.") var concurrency = 1

    func run() async throws {
        let path = HotPath(lanes: concurrency)
        let before = clock()
        switch part {
        case .log: path.hear(events)
        case .handler: try await path.handle(events)
        }
        let seconds = Double(clock() - before) / Double(CLOCKS_PER_SEC)
        Console.show(
            "\(part.rawValue): \(BenchRow.seconds(.seconds(seconds * 1_000_000 / Double(events)))) CPU s per million"
        )
    }
}
