package import Foundation
import Glibc
import Processes
import Synchronization

/// Any server program in a temporary directory of its own: it can be frozen, killed and started again on the same
/// ports with the same data. The process dies with this one. After `shutDown()` neither process nor directory is left.
package final class ThrowawayDaemon: Sendable {
    private struct State {
        var child: ChildProcess?
        var isFrozen = false
        var isShutDown = false
    }

    /// What the command line may need to know.
    package struct Place: Sendable {
        package let ports: [Int]
        package let directory: URL
    }

    package let place: Place
    private let command: String
    private let arguments: [String]
    private let reservations: [PortReservation]
    private let state = Mutex(State())

    /// Takes free ports and a directory; nothing runs yet.
    package init(_ command: String, ports count: Int, arguments: (Place) throws -> [String]) throws {
        _ = try Executable.find(command)
        self.command = command
        reservations = try (0..<count).map { _ in try PortReservation.take() }
        place = Place(
            ports: reservations.map(\.port), directory: try Leftovers.makeDirectory("daemon-\(reservations[0].port)"))
        self.arguments = try arguments(place)
    }

    deinit {
        // Reached without shutDown() when a test failed half-way.
        state.withLock { state in
            if let child = state.child {
                child.killNow()
                Leftovers.remove(child)
            }
            if !state.isShutDown { Leftovers.removeDirectory(place.directory) }
        }
    }

    /// Whether the program is installed here.
    package static func isInstalled(_ command: String) -> Bool { Executable.search(command) != nil }

    package var isRunning: Bool { runningChild != nil }
    package var pid: Int32? { runningChild?.pid }

    /// Starts the process, and returns once `unmet` answers nil. Does nothing when it runs.
    package func start(within limit: Duration = .seconds(20), unmet: () async throws -> String?) async throws {
        guard !isRunning else { return }
        let output = try openOutput()
        defer { try? output.close() }
        let child = try await ChildProcess.spawn(command, arguments, output: output.fileDescriptor)
        Leftovers.add(child)
        state.withLock {
            $0.child = child
            $0.isFrozen = false
        }
        do {
            try await waitUntil("\(command) on port \(place.ports[0]) answers", within: limit) {
                guard child.isRunning else { throw CancellationError() }
                return try await unmet()
            }
        } catch {
            await kill()
            throw ThrowawayRedisError("\(command) did not start (\(error)); the end of its log:\n\(logText)")
        }
    }

    /// Ends the process as an operator does: SIGTERM, and SIGKILL when that is not heeded.
    package func stop(within limit: Duration = .seconds(10)) async {
        guard let child = runningChild else { return }
        child.signal(SIGTERM)
        child.signal(SIGCONT)
        _ = await child.waitForExit(within: limit)
        await kill()
    }

    /// Ends the process as a crash does: SIGKILL.
    package func kill() async {
        guard let child = state.withLock({ $0.child }) else { return }
        child.signal(SIGKILL)
        _ = await child.waitForExit(within: .seconds(10))
        Leftovers.remove(child)
        state.withLock { state in
            guard state.child === child else { return }
            state.child = nil
            state.isFrozen = false
        }
    }

    /// Stalls the process (SIGSTOP): its connections stay open and nothing answers.
    package func freeze() {
        guard let child = runningChild else { return }
        child.freeze()
        state.withLock { $0.isFrozen = true }
    }

    /// Lets a frozen process go on (SIGCONT).
    package func resume() {
        guard let child = runningChild else { return }
        child.signal(SIGCONT)
        state.withLock { $0.isFrozen = false }
    }

    /// Kills the process and removes the directory.
    package func shutDown() async {
        await kill()
        state.withLock { $0.isShutDown = true }
        Leftovers.removeDirectory(place.directory)
    }

    /// The last lines that the process printed.
    package var logText: String {
        let printed = (try? String(contentsOf: outputFile, encoding: .utf8)) ?? ""
        return printed.split(separator: "\n").suffix(30).joined(separator: "\n")
    }

    private var outputFile: URL { place.directory.appending(path: "output") }

    private func openOutput() throws -> FileHandle {
        if !FileManager.default.fileExists(atPath: outputFile.path) { try Data().write(to: outputFile) }
        let output = try FileHandle(forWritingTo: outputFile)
        try output.seekToEnd()
        return output
    }

    private var runningChild: ChildProcess? {
        state.withLock { state in state.child.flatMap { $0.isRunning ? $0 : nil } }
    }
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
