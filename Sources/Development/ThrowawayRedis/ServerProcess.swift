import Foundation
import Glibc
import Processes
import Synchronization

/// One server program in a temporary directory: it can be frozen, killed and started again with the
/// same data.
///
/// The process dies with this one. After `shutDown()` neither process nor directory is left.
final class ServerProcess: Sendable {
    private struct State {
        var child: ChildProcess?
        var isFrozen = false
        var isShutDown = false
    }

    let directory: URL
    /// What errors call it.
    private let name: String
    private let command: String
    private let state = Mutex(State())

    /// Nothing runs yet.
    init(_ name: String, _ command: String, in directory: URL) {
        self.name = name
        self.command = command
        self.directory = directory
    }

    deinit {
        // Reached without shutDown() when a test failed half-way.
        state.withLock { state in
            if let child = state.child {
                child.killNow()
                Leftovers.remove(child)
            }
            if !state.isShutDown { Leftovers.removeDirectory(directory) }
        }
    }

    var pid: Int32? { runningChild?.pid }
    var isRunning: Bool { runningChild != nil }
    var isFrozen: Bool { state.withLock { $0.isFrozen } }

    /// Starts the process, and returns once `unmet` answers nil. Does nothing when it runs.
    ///
    /// - Parameter log: what the process says of itself, for the error.
    func start(
        _ arguments: [String], within limit: Duration, every pause: Duration = .milliseconds(25), log: () -> String,
        unmet: () async throws -> String?
    ) async throws {
        guard !isRunning else { return }
        guard !state.withLock({ $0.isShutDown }) else {
            throw ThrowawayRedisError("\(name) was shut down: start another one")
        }
        let output = try openOutput()
        defer { try? output.close() }
        let child = try await ChildProcess.spawn(command, arguments, output: output.fileDescriptor)
        Leftovers.add(child)
        state.withLock {
            $0.child = child
            $0.isFrozen = false
        }
        do {
            try await waitUntil("\(name) answers", within: limit, every: pause) {
                guard child.isRunning else { throw CancellationError() }
                return try await unmet()
            }
        } catch {
            let reason = child.isRunning ? "\(error)" : "it has ended"
            await kill()
            throw ThrowawayRedisError("\(name) did not start: \(reason); the end of its log:\n\(log())")
        }
    }

    /// Ends the process as an operator does: SIGTERM. Returns false when that was not heeded in time.
    func stop(within limit: Duration) async -> Bool {
        guard let child = runningChild else { return true }
        child.signal(SIGTERM)
        child.signal(SIGCONT)
        guard await child.waitForExit(within: limit) else { return false }
        forget(child)
        return true
    }

    /// Ends the process as a crash does: SIGKILL.
    func kill() async {
        guard let child = state.withLock({ $0.child }) else { return }
        child.signal(SIGKILL)
        // Only a process in an uninterruptible call outlives this; it is reaped when this one goes.
        _ = await child.waitForExit(within: .seconds(10))
        forget(child)
    }

    /// Stalls the process (SIGSTOP): its connections stay open and nothing answers.
    func freeze() {
        guard let child = runningChild else { return }
        child.freeze()
        state.withLock { $0.isFrozen = true }
    }

    /// Lets a frozen process go on (SIGCONT).
    func resume() {
        guard let child = runningChild else { return }
        child.signal(SIGCONT)
        state.withLock { $0.isFrozen = false }
    }

    /// Kills the process and removes the directory.
    func shutDown() async {
        await kill()
        state.withLock { $0.isShutDown = true }
        Leftovers.removeDirectory(directory)
    }

    /// What its processes wrote to their standard output and error.
    var printed: String { (try? String(contentsOf: outputFile, encoding: .utf8)) ?? "" }

    private var outputFile: URL { directory.appending(path: "output") }

    private func openOutput() throws -> FileHandle {
        if !FileManager.default.fileExists(atPath: outputFile.path) { try Data().write(to: outputFile) }
        let output = try FileHandle(forWritingTo: outputFile)
        try output.seekToEnd()
        return output
    }

    private var runningChild: ChildProcess? {
        state.withLock { state in state.child.flatMap { $0.isRunning ? $0 : nil } }
    }

    private func forget(_ child: ChildProcess) {
        Leftovers.remove(child)
        state.withLock { state in
            guard state.child === child else { return }
            state.child = nil
            state.isFrozen = false
        }
    }
}
