import Foundation
import Glibc
import Synchronization

/// Reads what `--handler ndjson` prints, and notes of each timer how late its line was here:
/// announcement, feed, log, handler and pipe together.
final class LagReader: Sendable {
    private struct State {
        var lags: [Int64] = []
        var twice = 0
        var seen: Set<Int> = []
    }

    /// Where the program is to write to.
    let path: String
    private let state = Mutex(State())

    init() throws {
        let pipe = try NamedPipe()
        path = pipe.path
        let descriptor = pipe.descriptor
        // It ends with this process.
        Thread { [self] in read(descriptor) }.start()
    }

    /// Forgets what was read.
    func begin() { state.withLock { $0 = State() } }

    /// In nanoseconds, sorted; below zero for one that came before its deadline.
    var lags: [Int64] { state.withLock { $0.lags }.sorted() }

    var count: Int { state.withLock { $0.lags.count } }
    var twice: Int { state.withLock { $0.twice } }

    private func read(_ descriptor: Int32) {
        let prefix = Array(#"{"key":"t:"#.utf8)
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        var kept = 0
        while true {
            let count = unsafe buffer[kept...].withUnsafeMutableBytes {
                unsafe Glibc.read(descriptor, $0.baseAddress, $0.count)
            }
            guard count > 0 else { return }
            var time = timespec()
            _ = unsafe clock_gettime(CLOCK_REALTIME, &time)
            let now = Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
            let end = kept + count
            var begin = 0
            var found: [(lag: Int64, number: Int)] = []
            for index in kept..<end where buffer[index] == 10 {
                if index - begin > prefix.count + 15, buffer[begin..<begin + prefix.count].elementsEqual(prefix) {
                    let digits = begin + prefix.count
                    let deadline = KeyNumber.of(buffer[digits..<digits + 13])
                    var last = digits + 14
                    while buffer[last] != UInt8(ascii: "\"") { last += 1 }
                    found.append((now - Int64(deadline) * 1_000_000, KeyNumber.of(buffer[digits + 14..<last])))
                }
                begin = index + 1
            }
            kept = end - begin
            for index in 0..<kept { buffer[index] = buffer[begin + index] }
            state.withLock { state in
                for (lag, number) in found {
                    if state.seen.insert(number).inserted { state.lags.append(lag) } else { state.twice += 1 }
                }
            }
        }
    }
}
