import Foundation
import Glibc
import Processes

/// Any command as a child that dies with this process, and what it has cost so far.
package final class ThrowawayProcess: Sendable {
    private let child: ChildProcess
    private let directory: URL

    private init(_ child: ChildProcess, _ directory: URL) {
        self.child = child
        self.directory = directory
    }

    deinit {
        child.killNow()
        Leftovers.remove(child)
        Leftovers.removeDirectory(directory)
    }

    package static func start(_ command: String, _ arguments: [String]) async throws -> ThrowawayProcess {
        let directory = try Leftovers.makeDirectory("process")
        let file = directory.appending(path: "output")
        try Data().write(to: file)
        let output = try FileHandle(forWritingTo: file)
        defer { try? output.close() }
        let child = try await ChildProcess.spawn(command, arguments, output: output.fileDescriptor)
        Leftovers.add(child)
        return ThrowawayProcess(child, directory)
    }

    package var pid: Int32 { child.pid }
    package var isRunning: Bool { child.isRunning }

    /// What it has printed, on both of its outputs.
    package var output: String {
        (try? String(contentsOf: directory.appending(path: "output"), encoding: .utf8)) ?? ""
    }

    /// User and system time of all its threads.
    package var processorTime: Duration { Self.processorTime(of: pid) }

    /// The same of any process; zero once it has ended.
    package static func processorTime(of pid: Int32) -> Duration {
        var clock = clockid_t()
        var time = timespec()
        guard unsafe clock_getcpuclockid(pid, &clock) == 0, unsafe clock_gettime(clock, &time) == 0 else {
            return .zero
        }
        return .seconds(Int64(time.tv_sec)) + .nanoseconds(Int64(time.tv_nsec))
    }

    /// Resident memory in bytes.
    package var memory: Int {
        let status = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
        return (line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0) << 10
    }

    package func kill() async {
        child.signal(SIGKILL)
        _ = await child.waitForExit(within: .seconds(5))
    }
}
