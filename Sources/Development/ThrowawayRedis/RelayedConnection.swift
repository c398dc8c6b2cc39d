import Foundation
import Glibc
import Synchronization

/// The two directions of one connection of a ``Relay``; the one that ends last closes both ends.
final class RelayedConnection: Sendable {
    private let client: Int32
    private let server: Int32
    private let left = Atomic(2)
    private let isFeed = Atomic(false)
    private let isHeld = Atomic(false)

    init(client: Int32, server: Int32) {
        self.client = client
        self.server = server
    }

    /// If it is a subscription, it brings nothing any more.
    func holdIfFeed() { if isFeed.load(ordering: .relaxed) { isHeld.store(true, ordering: .relaxed) } }

    func end() { for end in [client, server] { _ = shutdown(end, Int32(SHUT_RDWR)) } }

    /// One direction has ended. True, and both ends are closed, when it was the last.
    func leave() -> Bool {
        guard left.subtract(1, ordering: .relaxed).newValue == 0 else { return false }
        for end in [client, server] { _ = close(end) }
        return true
    }

    /// Until one end is closed. What the client has asked before it closed its end is still answered.
    func copyRequests(_ tap: (inout [UInt8]) -> Void) {
        copy(from: client, to: server, rate: { nil }) { bytes in
            if bytes.firstRange(of: "SUBSCRIBE".utf8) != nil { isFeed.store(true, ordering: .relaxed) }
            tap(&bytes)
            return false
        }
        _ = shutdown(server, Int32(SHUT_WR))
    }

    /// Until one end is closed, or behind what the tap says is the last. A limited rate comes in fifty sips
    /// a second.
    func copyAnswers(rate: () -> Int?, _ tap: (inout [UInt8]) -> Bool) {
        copy(from: server, to: client, rate: rate) { bytes in
            let isLast = tap(&bytes)
            while isHeld.load(ordering: .relaxed), left.load(ordering: .relaxed) == 2 {
                Thread.sleep(forTimeInterval: 0.05)
            }
            return isLast
        }
        end()
    }

    private func copy(from source: Int32, to sink: Int32, rate: () -> Int?, _ tap: (inout [UInt8]) -> Bool) {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        copying: while true {
            let limit = rate()
            let size = limit.map { max(1, min($0 / 50, chunk.count)) } ?? chunk.count
            let count = unsafe recv(source, &chunk, size, 0)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            var bytes = Array(chunk[..<count])
            let isLast = tap(&bytes)
            var sent = 0
            while sent < bytes.count {
                let more = unsafe bytes.withUnsafeBytes {
                    unsafe send(sink, $0.baseAddress.map { unsafe $0 + sent }, $0.count - sent, Int32(MSG_NOSIGNAL))
                }
                if more < 0, errno == EINTR { continue }
                guard more > 0 else { break copying }
                sent += more
            }
            if isLast { break }
            if limit != nil { Thread.sleep(forTimeInterval: Double(count) / Double(size) / 50) }
        }
    }
}
