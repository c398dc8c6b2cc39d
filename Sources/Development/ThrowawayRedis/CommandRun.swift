import Foundation
import Glibc
import Processes

/// One run of a short command (`redis-cli`, `openssl`) and what it printed.
struct CommandRun: Sendable {
    /// Standard output and standard error, as they came.
    let output: String
    let succeeded: Bool

    /// Runs a command to its end, or kills it when `limit` is over: a frozen server never answers.
    static func of(
        _ command: String, _ arguments: [String], environment: [String: String] = [:], input: String? = nil,
        within limit: Duration
    ) async throws -> CommandRun {
        let result = try Pipe.make()
        defer { result.close() }
        let script = try input.map { try ScriptFile($0) }
        defer { script?.close() }
        let child = try await ChildProcess.spawn(
            command, arguments, environment: environment, input: script?.descriptor, output: result.writeEnd)
        result.closeWriteEnd()
        let output = try await result.readToEnd(within: limit)
        guard let output, await child.waitForExit(within: .seconds(2)) else {
            child.killNow()
            throw ThrowawayRedisError("\(command) \(arguments.joined(separator: " ")): no answer within \(limit)")
        }
        return CommandRun(output: output, succeeded: child.exitStatus == 0)
    }
}

/// The input of a command: a file without a name, so that a long one needs no task to feed a pipe.
private struct ScriptFile {
    private let handle: FileHandle

    init(_ text: String) throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "throwaway-redis-\(UUID().uuidString)")
        try Data(text.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        handle = try FileHandle(forReadingFrom: file)
    }

    var descriptor: Int32 { handle.fileDescriptor }

    func close() { try? handle.close() }
}

/// A pipe that only the intended child inherits.
private final class Pipe {
    let readEnd: Int32
    private(set) var writeEnd: Int32

    private init(readEnd: Int32, writeEnd: Int32) {
        self.readEnd = readEnd
        self.writeEnd = writeEnd
    }

    static func make() throws -> Pipe {
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else { throw ThrowawayRedisError("pipe failed: errno \(errno)") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        return Pipe(readEnd: ends[0], writeEnd: ends[1])
    }

    func closeWriteEnd() {
        if writeEnd >= 0 { _ = Glibc.close(writeEnd) }
        writeEnd = -1
    }

    func close() {
        closeWriteEnd()
        _ = Glibc.close(readEnd)
    }

    /// Everything the child prints, or nil when it has not finished in time.
    func readToEnd(within limit: Duration) async throws -> String? {
        let deadline = ContinuousClock.now + limit
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe read(readEnd, &chunk, chunk.count)
            if count > 0 {
                text += chunk[..<count]
            } else if count == 0 {
                return String(decoding: text, as: UTF8.self)
            } else if ContinuousClock.now >= deadline || Task.isCancelled {
                return nil
            } else {
                try? await Task.sleep(for: .milliseconds(1))
            }
        }
    }
}
