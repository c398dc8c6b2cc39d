package import Foundation
import Glibc
import Processes
import Synchronization

/// One `lapse run` or `lapse work` process that reports what it handles, for the demo, the tests and
/// the fault table.
///
/// Its standard output (one JSON object for each handled expiration) and its log go to files that
/// outlive the process.
package final class ThrowawayReplica: Sendable {
    /// One line of `--handler ndjson`.
    package struct Handled: Sendable, Decodable {
        package let key: String
        package let node: String
        package let runID: String
        package let ordinal: UInt64
        package let origin: String
        package let replica: String
        package let term: UInt64
        package let token: UInt64
        package let attempt: Int
        package let handledAt: String

        private enum CodingKeys: String, CodingKey {
            case key, node, runID = "runId", ordinal, origin, replica, term, token, attempt, handledAt
        }

        /// Seconds since 1970.
        package var time: Double { (try? Self.format.parse(handledAt))?.timeIntervalSince1970 ?? 0 }

        private static let format = Date.ISO8601FormatStyle(includingFractionalSeconds: true)

        /// What was handed on to something else than this output.
        package init(
            key: String, node: String, runID: String, ordinal: UInt64, origin: String, term: UInt64, token: UInt64,
            at time: Date
        ) {
            self.key = key
            self.node = node
            self.runID = runID
            self.ordinal = ordinal
            self.origin = origin
            replica = ""
            self.term = term
            self.token = token
            attempt = 1
            handledAt = time.formatted(Self.format)
        }
    }

    private struct State {
        var child: ChildProcess?
        var binary: String
        var readOffset = 0
        var handled: [Handled] = []
        var unreadable = 0
        /// Of the process that runs, and of those before it: a full pipe outlives its writer.
        var readers: [SlowReader] = []
        var bytesPerSecond: Int?
    }

    package let id: String
    package let directory: URL
    private let arguments: [String]
    private let environment: [String: String]
    private let hasReader: Bool
    /// The process that is started is a parent, and its only child does the work.
    package let isSupervised: Bool
    /// What holds where nothing else is said: `THROWAWAY_SUPERVISE=on` runs all tests below parents.
    package static let isSupervisedByDefault = ProcessInfo.processInfo.environment["THROWAWAY_SUPERVISE"] == "on"
    private let state: Mutex<State>
    private var outputFile: URL { directory.appending(path: "handled.ndjson") }
    private var logFile: URL { directory.appending(path: "log") }

    /// - Parameters:
    ///   - binary: path of the `lapse` executable.
    ///   - command: `run` or `work`.
    ///   - arguments: its options besides id, handler and log format.
    ///   - handler: what it does with an expiration; another one than this leaves ``handled`` empty.
    ///   - isSupervised: with `--supervise on`.
    ///   - hasReader: its output goes through a pipe to a reader (see ``readOutput(bytesPerSecond:)``).
    package init(
        id: String, binary: String, command: String = "run", arguments: [String], environment: [String: String] = [:],
        handler: [String] = ["--handler", "ndjson"], isSupervised: Bool = isSupervisedByDefault,
        hasReader: Bool = false
    ) throws {
        self.id = id
        self.isSupervised = isSupervised
        self.hasReader = hasReader
        state = Mutex(State(binary: binary))
        self.arguments =
            [command, "--id", id, "--log-format", "text"] + (isSupervised ? ["--supervise", "on"] : []) + handler
            + arguments
        self.environment = environment
        directory = try Leftovers.makeDirectory("replica-\(id)")
    }

    deinit {
        state.withLock { $0.child?.killNow() }
        Leftovers.removeDirectory(directory)
    }

    /// Starts the process, again after it ended: output and log go on in the same files.
    ///
    /// - Parameter binary: another build of the executable, from now on; nil for the one it had.
    package func start(binary: String? = nil) async throws {
        let binary = state.withLock { state in
            if let binary { state.binary = binary }
            return state.binary
        }
        let output = try Self.append(outputFile)
        let log = try Self.append(logFile)
        defer { try? log.close() }
        let reader =
            hasReader ? try SlowReader(into: output, bytesPerSecond: state.withLock { $0.bytesPerSecond }) : nil
        defer {
            if let reader { _ = close(reader.writeEnd) } else { try? output.close() }
        }
        let child = try await ChildProcess.spawn(
            binary, arguments, environment: environment, output: reader?.writeEnd ?? output.fileDescriptor,
            errors: log.fileDescriptor)
        Leftovers.add(child)
        state.withLock { state in
            state.child = child
            if let reader { state.readers.append(reader) }
        }
    }

    /// How fast its output is read, from now on; nil for as fast as it comes. Needs a reader.
    package func readOutput(bytesPerSecond: Int?) {
        state.withLock { state in
            state.bytesPerSecond = bytesPerSecond
            for reader in state.readers { reader.read(bytesPerSecond: bytesPerSecond) }
        }
    }

    package var isRunning: Bool { state.withLock { $0.child?.isRunning ?? false } }
    package var pid: Int32? { state.withLock { $0.child?.pid } }

    /// The process that works: below a parent its child, and nil while there is none.
    package var worker: Int32? {
        guard isSupervised else { return pid }
        guard isRunning, let pid else { return nil }
        let children = try? String(contentsOfFile: "/proc/\(pid)/task/\(pid)/children", encoding: .utf8)
        return children?.split(separator: " ").first.flatMap { Int32($0) }
    }

    /// Also the worker: without its parent it would drain first.
    package func kill() async {
        let worker = isSupervised ? worker : nil
        await end(SIGKILL, within: .seconds(5))
        if let worker { _ = Glibc.kill(worker, SIGKILL) }
    }

    /// Kills the process that works; a parent lives on and begins another.
    package func killWorker() async {
        guard isSupervised else { return await kill() }
        if let worker { _ = Glibc.kill(worker, SIGKILL) }
    }

    /// SIGTERM; returns the exit code, nil when it did not end in time.
    package func terminate(within limit: Duration = .seconds(30)) async -> Int32? {
        await end(SIGTERM, within: limit)
        return exitCode
    }

    /// The process that works.
    package func freeze() { if let worker { _ = Glibc.kill(worker, SIGSTOP) } }
    package func resume() { if let worker { _ = Glibc.kill(worker, SIGCONT) } }

    /// The exit code of the last process, or 128 plus the signal that ended it; nil while it runs.
    package var exitCode: Int32? {
        state.withLock { $0.child?.exitStatus }.map { status in
            status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
        }
    }

    /// A parent passes on what it can catch; the rest goes to the process that works.
    package func signal(_ number: Int32) {
        guard isSupervised, [SIGKILL, SIGSTOP, SIGCONT].contains(number) else {
            return state.withLock { $0.child?.signal(number) }
        }
        if let worker { _ = Glibc.kill(worker, number) }
    }

    /// Waits until the process has ended.
    @discardableResult
    package func waitForExit(within limit: Duration) async -> Bool {
        await state.withLock { $0.child }?.waitForExit(within: limit) ?? true
    }

    private func end(_ number: Int32, within limit: Duration) async {
        guard let child = state.withLock({ $0.child }) else { return }
        child.signal(number)
        if await child.waitForExit(within: limit) { Leftovers.remove(child) }
    }

    /// Everything handled so far, in the order of the output.
    package var handled: [Handled] {
        state.withLock { state in
            readNew(&state)
            return state.handled
        }
    }

    /// Lines of the output that were not as they should be.
    package var unreadableLines: Int {
        state.withLock { state in
            readNew(&state)
            return state.unreadable
        }
    }

    /// The log's text.
    package var log: String { (try? String(contentsOf: logFile, encoding: .utf8)) ?? "" }

    /// How many log lines carry this message.
    package func count(of message: String) -> Int {
        log.split(separator: "\n").count { $0.contains(message) }
    }

    /// The sum of a number over the log lines that carry a message.
    package func sum(of name: String, in message: String) -> Int {
        log.split(separator: "\n").lazy.filter { $0.contains(message) }
            .compactMap { line in
                line.split(separator: " ").first { $0.hasPrefix("\(name)=") }.flatMap {
                    Int($0.dropFirst(name.count + 1))
                }
            }.reduce(0, +)
    }

    private func readNew(_ state: inout State) {
        guard let file = try? FileHandle(forReadingFrom: outputFile) else { return }
        defer { try? file.close() }
        guard (try? file.seek(toOffset: UInt64(state.readOffset))) != nil,
            let data = try? file.readToEnd(), let last = data.lastIndex(of: UInt8(ascii: "\n"))
        else { return }
        let complete = data[...last]
        state.readOffset += complete.count
        let decoder = JSONDecoder()
        for line in complete.split(separator: UInt8(ascii: "\n")) {
            if let handled = try? decoder.decode(Handled.self, from: line) {
                state.handled.append(handled)
            } else {
                state.unreadable += 1
            }
        }
    }

    private static func append(_ file: URL) throws -> FileHandle {
        if !FileManager.default.fileExists(atPath: file.path) { try Data().write(to: file) }
        let handle = try FileHandle(forWritingTo: file)
        try handle.seekToEnd()
        // Two processes of one replica follow each other here; each must write at the end.
        _ = fcntl(handle.fileDescriptor, F_SETFL, O_APPEND)
        return handle
    }
}
