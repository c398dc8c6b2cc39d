import Foundation
import Testing

/// A pipe between a test and what it writes.
final class PipeEnds: Sendable {
    let read: Int32
    let write: Int32

    init() throws {
        var ends: [Int32] = [-1, -1]
        try #require(unsafe pipe(&ends) == 0)
        (read, write) = (ends[0], ends[1])
    }

    /// Whether a writer would have to wait.
    var isFull: Bool {
        var end = pollfd(fd: write, events: Int16(POLLOUT), revents: 0)
        return unsafe poll(&end, 1, 0) == 0
    }

    func next(_ size: Int) -> [UInt8] {
        var chunk = [UInt8](repeating: 0, count: size)
        let count = unsafe Foundation.read(read, &chunk, size)
        return Array(chunk.prefix(max(0, count)))
    }

    /// Everything, until all that write to it have closed it.
    func all() -> [UInt8] {
        close(write)
        var all: [UInt8] = []
        while true {
            let chunk = next(1 << 16)
            guard !chunk.isEmpty else { return all }
            all += chunk
        }
    }
}
