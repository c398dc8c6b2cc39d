package import Foundation
import Glibc
import Processes
import Synchronization

/// One redis-server process in a temporary directory of its own.
///
/// The process dies with this one. After `shutDown()` neither process nor directory is left.
package final class ThrowawayServer: Sendable {
    private struct State {
        var child: ChildProcess?
        var isFrozen = false
        var isShutDown = false
    }

    package let port: Int
    package let options: ServerOptions
    package let directory: URL
    let arguments: [String]
    private let reservation: PortReservation
    private let state = Mutex(State())

    /// Writes the configuration; nothing runs yet. `arguments` are added to the command line.
    init(_ options: ServerOptions, arguments: [String] = []) throws {
        reservation = try PortReservation.take(options.port)
        port = reservation.port
        directory = try Leftovers.makeDirectory("\(reservation.port)")
        self.options = options
        self.arguments = arguments
        let text = options.configuration(port: port, directory: directory)
        try Data(text.utf8).write(to: configurationFile)
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

    /// A running server. A port lost to a stranger between test and start is replaced by another.
    package static func start(_ options: ServerOptions = ServerOptions()) async throws -> ThrowawayServer {
        try await start(options, arguments: [])
    }

    static func start(_ options: ServerOptions, arguments: [String]) async throws -> ThrowawayServer {
        var attempts = options.port == nil ? 5 : 1
        while true {
            attempts -= 1
            let server = try ThrowawayServer(options, arguments: arguments)
            do {
                try await server.start()
                return server
            } catch {
                let collided = server.logText.contains("Address already in use")
                await server.shutDown()
                guard collided, attempts > 0 else { throw error }
            }
        }
    }

    /// The host that clients dial, without brackets.
    package var host: String { options.bind.first ?? "127.0.0.1" }

    /// `127.0.0.1:30001` or `[::1]:30001`.
    package var address: String { options.isIPv6 ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// `redis://127.0.0.1:30001`, without the password.
    package var url: String { "\(options.tls == nil ? "redis" : "rediss")://\(address)" }

    /// The process, or nil when none runs.
    package var pid: Int32? { runningChild?.pid }

    package var isRunning: Bool { runningChild != nil }

    package var isFrozen: Bool { state.withLock { $0.isFrozen } }

    /// Running and not frozen.
    package var isLive: Bool { isRunning && !isFrozen }

    /// The last lines of the server's own log.
    package var logText: String {
        let printed = (try? String(contentsOf: outputFile, encoding: .utf8)) ?? ""
        return (log(from: 0) + printed).split(separator: "\n").suffix(20).joined(separator: "\n")
    }

    /// Starts the process and returns once it accepts connections. Does nothing when it runs.
    package func start(within limit: Duration = .seconds(10)) async throws {
        guard !isRunning else { return }
        guard !state.withLock({ $0.isShutDown }) else {
            throw ThrowawayRedisError("redis \(address) was shut down: start another one")
        }
        let logStart = logSize
        // A mistake in the configuration is reported there, before there is a log.
        try Data().write(to: outputFile)
        let output = try FileHandle(forWritingTo: outputFile)
        defer { try? output.close() }
        let child = try await ChildProcess.spawn(
            "redis-server", [configurationFile.path] + arguments, output: output.fileDescriptor)
        Leftovers.add(child)
        state.withLock {
            $0.child = child
            $0.isFrozen = false
        }
        do {
            // The log says it before any connection would, and it is never a stranger's answer.
            try await waitUntil("redis \(address) accepts connections", within: limit, every: .milliseconds(5)) {
                log(from: logStart).contains(readyLine) || !child.isRunning ? nil : "it is still loading"
            }
        } catch {
            await kill()
            throw ThrowawayRedisError("\(error)\n\(logText)")
        }
        guard child.isRunning else {
            await kill()
            throw ThrowawayRedisError("redis \(address) did not start; the end of its log:\n\(logText)")
        }
    }

    /// Ends the process as an operator does: SIGTERM, which saves what is configured to be saved.
    package func stop(within limit: Duration = .seconds(10)) async throws {
        guard let child = runningChild else { return }
        child.signal(SIGTERM)
        child.signal(SIGCONT)
        guard await child.waitForExit(within: limit) else {
            throw ThrowawayRedisError("redis \(address) did not stop within \(limit); its log:\n\(logText)")
        }
        forget(child)
    }

    /// Ends the process as a crash does: SIGKILL.
    package func kill() async {
        guard let child = state.withLock({ $0.child }) else { return }
        child.signal(SIGKILL)
        // Only a process in an uninterruptible call outlives this; it is reaped when the server goes.
        _ = await child.waitForExit(within: .seconds(10))
        forget(child)
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

    /// Stops the process if it runs and starts it on the same port and directory.
    package func restart() async throws {
        try await stop()
        try await start()
    }

    /// Kills the process and removes the directory.
    package func shutDown() async {
        await kill()
        state.withLock { $0.isShutDown = true }
        Leftovers.removeDirectory(directory)
    }

    private var configurationFile: URL { directory.appending(path: "redis.conf") }

    private var readyLine: String {
        arguments.contains("--sentinel") ? "+monitor" : "Ready to accept connections"
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

    private var outputFile: URL { directory.appending(path: "output") }

    private var logFile: URL { directory.appending(path: "redis.log") }

    private var logSize: UInt64 {
        let size = try? logFile.resourceValues(forKeys: [.fileSizeKey]).fileSize
        return UInt64(size ?? 0)
    }

    private func log(from offset: UInt64) -> String {
        guard let handle = try? FileHandle(forReadingFrom: logFile) else { return "" }
        defer { try? handle.close() }
        guard (try? handle.seek(toOffset: offset)) != nil, let data = try? handle.readToEnd() else { return "" }
        return String(decoding: data, as: UTF8.self)
    }
}
