import Foundation
import ThrowawayRedis

/// Keys that tell when they are due: `t:<deadline in milliseconds since 1970>:<number>`. Its reader
/// knows how late it is.
final class Timers: Sendable {
    private let masters: [(server: ThrowawayServer, slots: [ClosedRange<Int>])]

    init(_ server: ThrowawayServer) { masters = [(server, [0...16_383])] }

    init(_ cluster: ThrowawayCluster) async throws {
        var masters: [(ThrowawayServer, [ClosedRange<Int>])] = []
        for master in try await cluster.masters() { masters.append((master, try await cluster.slots(of: master))) }
        self.masters = masters
    }

    var servers: [ThrowawayServer] { masters.map(\.server) }

    static func key(_ deadline: Int64, _ number: Int) -> String { "t:\(deadline):\(number)" }

    /// Sends a command for each key to its owner, a thousand in one write, and waits for the answers.
    func send(_ keys: [String], _ command: (String) -> [String]) throws {
        let parts = masters.count == 1 ? [keys] : split(keys)
        for (keys, master) in zip(parts, masters) where !keys.isEmpty {
            let socket = try PlainSocket(to: master.server)
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            for start in stride(from: 0, to: keys.count, by: 1_000) {
                let chunk = keys[start..<min(start + 1_000, keys.count)]
                var bytes: [UInt8] = []
                for key in chunk {
                    let words = command(key)
                    bytes += Array("*\(words.count)\r\n".utf8)
                    for word in words { bytes += Array("$\(word.utf8.count)\r\n\(word)\r\n".utf8) }
                }
                socket.write(bytes)
                var lines = 0
                while lines < chunk.count {
                    let count = socket.read(into: &buffer)
                    guard count > 0 else { throw ThrowawayRedisError("\(master.server.address) hung up") }
                    if buffer[0] == UInt8(ascii: "-") {
                        throw ThrowawayRedisError(String(decoding: buffer[..<count], as: UTF8.self))
                    }
                    for index in 0..<count where buffer[index] == 10 { lines += 1 }
                }
            }
        }
    }

    private func split(_ keys: [String]) -> [[String]] {
        var parts = [[String]](repeating: [], count: masters.count)
        for key in keys {
            let slot = KeySlot.of(key)
            let owner = masters.firstIndex { $0.slots.contains { $0.contains(slot) } } ?? 0
            parts[owner].append(key)
        }
        return parts
    }

    /// Milliseconds since 1970.
    static var now: Int64 { Int64(Date().timeIntervalSince1970 * 1000) }
}
