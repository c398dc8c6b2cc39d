import Foundation
import Glibc
import Synchronization

/// A TCP relay to a server of this machine: a link that is slow or breaks, a name that moves to another
/// server, a server that says something else.
package final class Relay: Sendable {
    /// Sees what passes, before it is sent on, and may change it, or keep it by not returning. The number
    /// is the connection's.
    package typealias Tap = @Sendable (_ connection: Int, _ bytes: inout [UInt8]) -> Void

    private struct State {
        var target: Int
        var bytesPerSecond: Int?
        var requestTaps: [Tap] = []
        var answerTaps: [Tap] = []
        var lastWords: [[UInt8]] = []
        var connections: [Int: RelayedConnection] = [:]
        var accepted = 0
        /// How often all were ended.
        var cuts = 0
    }

    package let port: Int
    private let listener: Int32
    private let state: Mutex<State>

    package var address: String { "127.0.0.1:\(port)" }
    package var url: String { "redis://\(address)" }

    package init(to server: ThrowawayServer) throws {
        state = Mutex(State(target: server.port))
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        listener = descriptor
        var address = Self.loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(descriptor, $0, length) == 0 && listen(descriptor, 128) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard isBound else { throw ThrowawayRedisError("no relay to \(server.address): errno \(errno)") }
        port = Int(in_port_t(bigEndian: address.sin_port))
        Self.onThread { [self] in
            while true {
                let client = accept(listener, nil, nil)
                if client < 0, errno == EINTR || errno == ECONNABORTED { continue }
                guard client >= 0 else { return }
                _ = fcntl(client, F_SETFD, FD_CLOEXEC)
                relay(client)
            }
        }
    }

    /// Leads to another server from now on, and ends the connections that stand.
    package func move(to server: ThrowawayServer) {
        lead(to: server)
        cut()
    }

    /// New connections lead to another server from now on; those that stand stay with theirs.
    package func lead(to server: ThrowawayServer) { state.withLock { $0.target = server.port } }

    /// Ends the connections that stand.
    package func cut() {
        // Under the lock: a descriptor that was closed may be another connection's by now.
        state.withLock { state in
            state.cuts += 1
            for connection in state.connections.values { connection.end() }
        }
    }

    /// What the server sends comes at this rate from now on, on each connection by itself: one does not
    /// delay another. Nil for as fast as it comes.
    package func pass(bytesPerSecond: Int?) { state.withLock { $0.bytesPerSecond = bytesPerSecond } }

    /// The subscriptions that stand now bring nothing any more, and neither side is told. All other
    /// connections, and all that come later, pass.
    package func holdFeeds() {
        state.withLock { state in
            for connection in state.connections.values { connection.holdIfFeed() }
        }
    }

    /// What the server says is changed from now on, wherever it lies in one read. Both words are of one
    /// length.
    package func replace(_ word: String, with other: String) {
        precondition(word.utf8.count == other.utf8.count, "RESP counts bytes")
        let (from, to) = (Array(word.utf8), Array(other.utf8))
        onAnswers { $1.replace(from, with: to) }
    }

    /// From now on.
    package func onRequests(_ tap: @escaping Tap) { state.withLock { $0.requestTaps.append(tap) } }
    package func onAnswers(_ tap: @escaping Tap) { state.withLock { $0.answerTaps.append(tap) } }

    /// A connection over which the server says this, in one read, ends right behind it, from now on.
    package func end(behind word: String) { state.withLock { $0.lastWords.append(Array(word.utf8)) } }

    /// Nothing is relayed any more.
    package func shutDown() {
        _ = shutdown(listener, Int32(SHUT_RDWR))
        cut()
    }

    private func relay(_ client: Int32) {
        let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        let (target, cuts) = state.withLock { ($0.target, $0.cuts) }
        var address = Self.loopback(port: target)
        let isConnected = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected else {
            _ = close(server)
            _ = close(client)
            return
        }
        let connection = RelayedConnection(client: client, server: server)
        let number = state.withLock { state in
            state.accepted += 1
            state.connections[state.accepted] = connection
            // Cut while it was being made, it would lead to the former server for good.
            if state.cuts != cuts { connection.end() }
            return state.accepted
        }
        Self.onThread { [self] in
            connection.copyRequests { bytes in
                for tap in state.withLock({ $0.requestTaps }) { tap(number, &bytes) }
            }
            leave(number, connection)
        }
        Self.onThread { [self] in
            connection.copyAnswers(rate: { state.withLock { $0.bytesPerSecond } }) { bytes in
                let (taps, lastWords) = state.withLock { ($0.answerTaps, $0.lastWords) }
                for tap in taps { tap(number, &bytes) }
                for word in lastWords where bytes.firstRange(of: word) != nil { return true }
                return false
            }
            leave(number, connection)
        }
    }

    private func leave(_ number: Int, _ connection: RelayedConnection) {
        state.withLock { state in
            if connection.leave() { state.connections[number] = nil }
        }
    }

    private static func onThread(_ body: @escaping @Sendable () -> Void) {
        let thread = Thread(block: body)
        thread.name = "relay"
        thread.start()
    }

    private static func loopback(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr = in_addr(s_addr: in_addr_t(0x7f00_0001).bigEndian)
        return address
    }
}
