package import Foundation
import Processes

/// Any server program in a temporary directory of its own: it can be frozen, killed and started again
/// on the same ports with the same data. After `shutDown()` neither process nor directory is left.
package final class ThrowawayDaemon: Sendable {
    /// What the command line may need to know.
    package struct Place: Sendable {
        package let ports: [Int]
        package let directory: URL
    }

    package let place: Place
    private let arguments: [String]
    private let reservations: [PortReservation]
    private let process: ServerProcess

    /// Takes free ports and a directory; nothing runs yet.
    package init(_ command: String, ports count: Int, arguments: (Place) throws -> [String]) throws {
        _ = try Executable.find(command)
        reservations = try (0..<count).map { _ in try PortReservation.take() }
        let port = reservations[0].port
        place = Place(ports: reservations.map(\.port), directory: try Leftovers.makeDirectory("daemon-\(port)"))
        process = ServerProcess("\(command) on port \(port)", command, in: place.directory)
        self.arguments = try arguments(place)
    }

    /// Whether the program is installed here.
    package static func isInstalled(_ command: String) -> Bool { Executable.search(command) != nil }

    package var isRunning: Bool { process.isRunning }
    package var pid: Int32? { process.pid }

    /// Starts the process, and returns once `unmet` answers nil. Does nothing when it runs.
    package func start(within limit: Duration = .seconds(20), unmet: () async throws -> String?) async throws {
        try await process.start(arguments, within: limit, log: { logText }, unmet: unmet)
    }

    /// Ends the process as an operator does: SIGTERM, and SIGKILL when that is not heeded.
    package func stop(within limit: Duration = .seconds(10)) async {
        if await !process.stop(within: limit) { await kill() }
    }

    /// Ends the process as a crash does: SIGKILL.
    package func kill() async { await process.kill() }

    /// Stalls the process (SIGSTOP): its connections stay open and nothing answers.
    package func freeze() { process.freeze() }

    /// Lets a frozen process go on (SIGCONT).
    package func resume() { process.resume() }

    /// Kills the process and removes the directory.
    package func shutDown() async { await process.shutDown() }

    /// The last lines that the process printed.
    package var logText: String { process.printed.split(separator: "\n").suffix(30).joined(separator: "\n") }
}

/// One run of a short command, as an operator would type it.
package enum OperatorCommand {
    /// What it printed; throws when it failed.
    @discardableResult
    package static func run(
        _ command: String, _ arguments: [String], environment: [String: String] = [:], input: String? = nil,
        within limit: Duration = .seconds(20)
    ) async throws -> String {
        let run = try await CommandRun.of(command, arguments, environment: environment, input: input, within: limit)
        guard run.succeeded else { throw ThrowawayRedisError("\(command) \(arguments.first ?? ""): \(run.output)") }
        return run.output
    }
}
