import Foundation
import Glibc
import Synchronization
import ThrowawayRedis

/// Reads the lines of a built-in handler from a pipe, and counts how often each key of the burst came.
final class LineReader: Sendable {
    private struct State {
        var counts: [Int: Int] = [:]
        var others = ""
    }

    /// Where the program is to write to.
    let path: String
    private let state = Mutex(State())

    init() throws {
        let pipe = try NamedPipe()
        path = pipe.path
        let descriptor = pipe.descriptor
        // It ends with this process.
        Thread { [self] in
            let prefix = Array("{bench}:".utf8)
            let length = prefix.count + ExpirationBurst.digits(tag: "bench")
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            var rest: [UInt8] = []
            while true {
                let count = unsafe Glibc.read(descriptor, &buffer, buffer.count)
                guard count > 0 else { return }
                rest += buffer[..<count]
                var begin = 0
                var numbers: [Int] = []
                var others: [UInt8] = []
                while let end = rest[begin...].firstIndex(of: 10) {
                    let line = rest[begin..<end]
                    let first = line.indices.first { index in
                        line[index] == prefix[0] && index + length <= end
                            && line[index..<index + prefix.count].elementsEqual(prefix)
                    }
                    if let first {
                        numbers.append(
                            KeyNumber.of(line[first + length - KeyNumber.digits..<first + length]))
                    } else {
                        others += line + [10]
                    }
                    begin = end + 1
                }
                rest.removeFirst(begin)
                state.withLock { state in
                    for number in numbers { state.counts[number, default: 0] += 1 }
                    if state.others.utf8.count < 1 << 16 { state.others += String(decoding: others, as: UTF8.self) }
                }
            }
        }.start()
    }

    /// Lines without a key.
    var others: String { state.withLock { $0.others } }

    /// Waits until each key has come; throws when one has come more often than once.
    func check(_ keys: Int) async throws {
        try await waitUntil("every key has come once", within: .seconds(10)) {
            let (distinct, all) = state.withLock { ($0.counts.count, $0.counts.values.reduce(0, +)) }
            guard all <= keys else { throw ThrowawayRedisError("\(all) lines for \(keys) keys") }
            return distinct == keys && all == keys ? nil : "\(distinct) keys in \(all) lines"
        }
        state.withLock { $0.counts = [:] }
    }
}
