import Foundation
import Glibc
import Synchronization

/// A TCP relay whose target can be changed: a name that moves to another server. It can also change what the server says.
package final class SwitchedRelay: Sendable {
    private struct State {
        var target: Int
        var replacements: [(from: [UInt8], to: [UInt8])] = []
        var open: Set<Int32> = []
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
        state.withLock { $0.target = server.port }
        cut()
    }

    /// Ends the connections that stand.
    package func cut() {
        // Shut down under the lock: a descriptor that was closed may be another connection's by now.
        state.withLock { state in
            for end in state.open { _ = shutdown(end, Int32(SHUT_RDWR)) }
        }
    }

    /// What the server says is changed from now on, wherever it lies in one read. Both words are of one length.
    package func replace(_ word: String, with other: String) {
        precondition(word.utf8.count == other.utf8.count, "RESP counts bytes")
        state.withLock { $0.replacements.append((Array(word.utf8), Array(other.utf8))) }
    }

    /// Nothing is relayed any more.
    package func shutDown() {
        _ = shutdown(listener, Int32(SHUT_RDWR))
        cut()
    }

    private func relay(_ client: Int32) {
        let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = Self.loopback(port: state.withLock { $0.target })
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
        state.withLock { $0.open.formUnion([client, server]) }
        let left = Countdown()
        for (source, sink, isAnswer) in [(client, server, false), (server, client, true)] {
            Self.onThread { [self] in
                copy(from: source, to: sink, isAnswer)
                for end in [client, server] { _ = shutdown(end, Int32(SHUT_RDWR)) }
                guard left.value.subtract(1, ordering: .relaxed).newValue == 0 else { return }
                state.withLock { state in
                    for end in [client, server] {
                        state.open.remove(end)
                        _ = close(end)
                    }
                }
            }
        }
    }

    private func copy(from source: Int32, to sink: Int32, _ isAnswer: Bool) {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe recv(source, &chunk, chunk.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            var bytes = Array(chunk[..<count])
            if isAnswer {
                for (from, to) in state.withLock({ $0.replacements }) { bytes.replace(from, with: to) }
            }
            var sent = 0
            while sent < bytes.count {
                let rest = Array(bytes[sent...])
                let more = unsafe send(sink, rest, rest.count, Int32(MSG_NOSIGNAL))
                if more < 0, errno == EINTR { continue }
                guard more > 0 else { return }
                sent += more
            }
        }
    }

    private static func onThread(_ body: @escaping @Sendable () -> Void) {
        let thread = Thread(block: body)
        thread.name = "switched-relay"
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

private final class Countdown: Sendable {
    let value = Atomic(2)
}
