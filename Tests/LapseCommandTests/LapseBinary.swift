import Foundation
import Synchronization
import Testing
import ThrowawayRedis

/// The command as built, beside the tests.
struct LapseBinary: Sendable {
    /// How one run ended.
    struct Run: Sendable {
        var code: Int32
        var output: String
        var errors: String

        /// What it says about its end, behind the log.
        var lastLine: String { errors.split(separator: "\n").last.map(String.init) ?? "" }
    }

    private static var url: URL {
        if let path = ProcessInfo.processInfo.environment["LAPSE_BINARY"] { return URL(filePath: path) }
        let tests = Bundle.main.executableURL ?? URL(filePath: CommandLine.arguments[0])
        return tests.deletingLastPathComponent().appending(path: "lapse")
    }

    static var path: String { url.path }

    /// Starts the command; nothing of this process's environment but the path reaches it.
    ///
    /// - Parameters:
    ///   - redirection: what a shell does with its streams, such as `>&-`.
    ///   - ignored: a signal that it is started to ignore, such as `CHLD`.
    ///   - readsOutput: whether its stdout is read.
    static func start(
        _ arguments: [String], environment: [String: String] = [:], redirected redirection: String? = nil,
        ignoring ignored: String? = nil, readsOutput: Bool = true
    ) throws -> Child {
        let child = Child()
        let needsShell = redirection != nil || ignored != nil
        // Not every shell hands an ignored SIGCHLD on.
        let prefix = ignored.map { "env --ignore-signal=\($0) " } ?? ""
        let script = "exec " + prefix + #""$0" "$@" "# + (redirection ?? "")
        child.process.executableURL = needsShell ? URL(filePath: "/bin/sh") : url
        child.process.arguments = (needsShell ? ["-c", script, url.path] : []) + arguments
        child.process.environment = environment.merging(["PATH": "/usr/bin:/bin"]) { given, _ in given }
        child.process.standardInput = FileHandle.nullDevice
        child.process.standardOutput = child.output
        child.process.standardError = child.errors
        child.collect(output: readsOutput)
        try child.process.run()
        return child
    }

    static func run(_ arguments: [String], environment: [String: String] = [:]) async throws -> Run {
        try await start(arguments, environment: environment).end()
    }

    /// A run that has not ended yet.
    final class Child: Sendable {
        fileprivate let process = Process()
        fileprivate let output = Pipe()
        fileprivate let errors = Pipe()
        private let isRead = Mutex(true)
        private let printed = Mutex<(output: Data, errors: Data)>((Data(), Data()))

        deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

        fileprivate func collect(output readsOutput: Bool) {
            isRead.withLock { $0 = readsOutput }
            if readsOutput {
                output.fileHandleForReading.readabilityHandler = { [weak self] handle in
                    guard let self else { return handle.readabilityHandler = nil }
                    printed.withLock { if !Self.take(handle, &$0.output) { handle.readabilityHandler = nil } }
                }
            }
            errors.fileHandleForReading.readabilityHandler = { [weak self] handle in
                guard let self else { return handle.readabilityHandler = nil }
                printed.withLock { if !Self.take(handle, &$0.errors) { handle.readabilityHandler = nil } }
            }
        }

        /// Reads what lies in a pipe, and never waits for more. False at its end.
        private static func take(_ handle: FileHandle, _ text: inout Data) -> Bool {
            while true {
                var state = pollfd(fd: handle.fileDescriptor, events: Int16(POLLIN), revents: 0)
                guard unsafe poll(&state, 1, 0) > 0 else { return true }
                guard state.revents & Int16(POLLIN) != 0 else { return false }
                let bytes = unsafe [UInt8](unsafeUninitializedCapacity: 65_536) { buffer, count in
                    count = unsafe max(0, read(handle.fileDescriptor, buffer.baseAddress, buffer.count))
                }
                guard !bytes.isEmpty else { return false }
                text += bytes
            }
        }

        /// Takes in what was printed last: it does not wait for a queue that other tests keep busy.
        private func takeRest() {
            let readsOutput = isRead.withLock { $0 }
            printed.withLock {
                if readsOutput { _ = Self.take(output.fileHandleForReading, &$0.output) }
                _ = Self.take(errors.fileHandleForReading, &$0.errors)
            }
        }

        var isRunning: Bool { process.isRunning }
        var pid: Int32 { process.processIdentifier }

        func signal(_ number: Int32) { kill(process.processIdentifier, number) }

        /// Its output is read no more.
        func closeOutput() throws {
            output.fileHandleForReading.readabilityHandler = nil
            isRead.withLock { $0 = false }
            try output.fileHandleForReading.close()
        }

        var lines: [String] { text.output.split(separator: "\n").map(String.init) }

        var text: (output: String, errors: String) {
            let (output, errors) = printed.withLock { $0 }
            return (String(decoding: output, as: UTF8.self), String(decoding: errors, as: UTF8.self))
        }

        /// Waits until it has ended by itself; kills it when it does not.
        func end(within limit: Duration = .seconds(20)) async throws -> Run {
            let deadline = ContinuousClock.now + limit
            while process.isRunning {
                if ContinuousClock.now > deadline {
                    signal(SIGKILL)
                    Issue.record("lapse \(process.arguments ?? []) still ran after \(limit)")
                }
                try await Task.sleep(for: .milliseconds(5))
            }
            takeRest()
            return Run(code: process.terminationStatus, output: text.output, errors: text.errors)
        }
    }
}
