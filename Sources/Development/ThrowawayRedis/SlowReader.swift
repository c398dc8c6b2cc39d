import Foundation
import Glibc
import Synchronization

/// Reads what a process prints, as slowly as told: its own thread copies a pipe into a file.
///
/// A full pipe holds up the process that prints, as a slow program behind `|` does.
final class SlowReader: Sendable {
    /// The end that the process gets; to be closed here once it runs.
    let writeEnd: Int32
    private let limit: Mutex<Int?>

    /// - Parameter bytesPerSecond: nil for as fast as it comes.
    init(into file: FileHandle, bytesPerSecond: Int?) throws {
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else { throw ThrowawayRedisError("pipe failed: errno \(errno)") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        writeEnd = ends[1]
        limit = Mutex(bytesPerSecond)
        let thread = Thread { [self, readEnd = ends[0]] in copy(from: readEnd, to: file) }
        thread.name = "slow-reader"
        thread.start()
    }

    func read(bytesPerSecond: Int?) { limit.withLock { $0 = bytesPerSecond } }

    /// Until the last holder of the other end has closed it. Whole lines only: the reader of the process
    /// that comes next writes into the same file, while this one may still have a full pipe.
    private func copy(from readEnd: Int32, to file: FileHandle) {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        var line: [UInt8] = []
        while true {
            let rate = limit.withLock { $0 }
            // Twenty sips a second.
            let size = rate.map { max(1, min($0 / 20, chunk.count)) } ?? chunk.count
            let count = unsafe Glibc.read(readEnd, &chunk, size)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            line += chunk[..<count]
            if let end = line.lastIndex(of: UInt8(ascii: "\n")) {
                try? file.write(contentsOf: Data(line[...end]))
                line.removeSubrange(...end)
            }
            if rate != nil { Thread.sleep(forTimeInterval: 0.05) }
        }
        // What a killed process has left of a line.
        if !line.isEmpty { try? file.write(contentsOf: Data(line + [UInt8(ascii: "\n")])) }
        _ = close(readEnd)
        try? file.close()
    }
}
