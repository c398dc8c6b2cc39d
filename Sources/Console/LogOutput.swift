import Glibc
import LapseHandlers
import Synchronization

/// Standard error for the log. Writing a line never waits for the reader: the thread that logs may hold
/// the lease, a feed or the end of the process. What the reader has not taken is kept up to a bound;
/// lines beyond it are dropped and counted.
package final class LogOutput: Sendable {
    package static let errors = LogOutput()

    /// Bytes of lines that wait.
    private static let limit = 1 << 20
    private let output: LineOutput
    private let waiting = Atomic(0)
    private let dropped = Atomic(0)

    package init(_ descriptor: Int32 = STDERR_FILENO) {
        output = LineOutput(descriptor, name: "stderr", isWatched: false)
    }

    /// Returns at once.
    package func put(_ line: [UInt8]) {
        guard waiting.load(ordering: .relaxed) + line.count <= Self.limit else {
            dropped.add(1, ordering: .relaxed)
            return
        }
        let missing = dropped.exchange(0, ordering: .relaxed)
        if missing > 0 { post(FatalLine.text("stderr was not read: \(missing) log lines dropped", .warning)) }
        post(line)
    }

    private func post(_ line: [UInt8]) {
        waiting.add(line.count, ordering: .relaxed)
        output.post(line) { [self] in waiting.subtract(line.count, ordering: .releasing) }
    }

    /// Returns when the lines have been written. What cannot be written there cannot be told anywhere: that
    /// is no error.
    ///
    /// - Returns: `CancellationError` when cancelled before they were read.
    package func write(_ lines: ArraySlice<UInt8>) async -> (any Error)? {
        let outcome = await output.write(Lines(Array(lines)))
        return outcome.error is LineOutput.Broken ? nil : outcome.error
    }

    /// Before the process ends: gives a slow reader a moment.
    package func flush(for milliseconds: Int) {
        for _ in 0..<milliseconds / 10 where waiting.load(ordering: .acquiring) > 0 { usleep(10_000) }
    }
}
