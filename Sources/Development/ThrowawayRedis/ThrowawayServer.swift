package import Foundation

/// One redis-server process in a temporary directory of its own.
///
/// The process dies with this one. After `shutDown()` neither process nor directory is left.
package final class ThrowawayServer: Sendable {
    package let port: Int
    package let options: ServerOptions
    let arguments: [String]
    private let reservation: PortReservation
    private let process: ServerProcess

    /// Writes the configuration; nothing runs yet. `arguments` are added to the command line.
    init(_ options: ServerOptions, arguments: [String] = []) throws {
        reservation = try PortReservation.take(options.port)
        port = reservation.port
        self.options = options
        self.arguments = arguments
        process = ServerProcess(
            "redis \(options.address(port))", options.program, in: try Leftovers.makeDirectory("\(port)"))
        let text = options.configuration(port: port, directory: directory)
        try Data(text.utf8).write(to: configurationFile)
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
    package var host: String { options.host }

    /// `127.0.0.1:30001` or `[::1]:30001`.
    package var address: String { options.address(port) }

    /// `redis://127.0.0.1:30001`, without the password.
    package var url: String { "\(options.tls == nil ? "redis" : "rediss")://\(address)" }

    package var directory: URL { process.directory }

    /// The process, or nil when none runs.
    package var pid: Int32? { process.pid }

    package var isRunning: Bool { process.isRunning }

    package var isFrozen: Bool { process.isFrozen }

    /// Running and not frozen.
    package var isLive: Bool { isRunning && !isFrozen }

    /// The last lines of the server's own log.
    package var logText: String {
        (log(from: 0) + process.printed).split(separator: "\n").suffix(20).joined(separator: "\n")
    }

    /// Starts the process and returns once it accepts connections. Does nothing when it runs.
    package func start(within limit: Duration = .seconds(10)) async throws {
        let logStart = logSize
        // The log says it before any connection would, and it is never a stranger's answer.
        try await process.start(
            [configurationFile.path] + arguments, within: limit, every: .milliseconds(5), log: { logText }
        ) {
            log(from: logStart).contains(readyLine) ? nil : "it is still loading"
        }
    }

    /// Ends the process as an operator does: SIGTERM, which saves what is configured to be saved.
    package func stop(within limit: Duration = .seconds(10)) async throws {
        guard await process.stop(within: limit) else {
            throw ThrowawayRedisError("redis \(address) did not stop within \(limit); its log:\n\(logText)")
        }
    }

    /// Ends the process as a crash does: SIGKILL.
    package func kill() async { await process.kill() }

    /// Stalls the process (SIGSTOP): its connections stay open and nothing answers.
    package func freeze() { process.freeze() }

    /// Lets a frozen process go on (SIGCONT).
    package func resume() { process.resume() }

    /// Stops the process if it runs and starts it on the same port and directory.
    package func restart() async throws {
        try await stop()
        try await start()
    }

    /// Kills the process and removes the directory.
    package func shutDown() async { await process.shutDown() }

    private var configurationFile: URL { directory.appending(path: "redis.conf") }

    private var readyLine: String {
        arguments.contains("--sentinel") ? "+monitor" : "Ready to accept connections"
    }

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
