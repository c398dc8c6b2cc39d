import Foundation
import Glibc
import Synchronization

/// A TCP relay to a server of this machine. What the server sends comes through at a limited rate, on each connection by
/// itself: a slow link on which one connection does not delay another.
package final class ThrottledRelay: Sendable {
    package let port: Int
    private let target: Int
    private let listener: Int32
    private let rate: Mutex<Int?>
    private let feeds = Mutex<[Legs]>([])

    package var address: String { "127.0.0.1:\(port)" }
    package var url: String { "redis://\(address)" }

    /// - Parameter bytesPerSecond: of each connection; nil for as fast as it comes.
    package init(to server: ThrowawayServer, bytesPerSecond: Int? = nil) throws {
        target = server.port
        rate = Mutex(bytesPerSecond)
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
        guard isBound else {
            throw ThrowawayRedisError("no relay to \(server.address): errno \(errno)")
        }
        port = Int(in_port_t(bigEndian: address.sin_port))
        Self.onThread { [self] in
            while true {
                let client = accept(listener, nil, nil)
                if client < 0, errno == EINTR || errno == ECONNABORTED { continue }
                guard client >= 0 else { return }
                _ = fcntl(client, F_SETFD, FD_CLOEXEC)
                relay(client, to: target)
            }
        }
    }

    /// From now on; nil for as fast as it comes.
    package func pass(bytesPerSecond: Int?) { rate.withLock { $0 = bytesPerSecond } }

    /// The subscriptions that stand now bring nothing any more, and neither side is told. Whatever else stands, and all that
    /// comes later, passes.
    package func holdFeeds() { for legs in feeds.withLock({ $0 }) { legs.hold() } }

    /// No new connection is accepted; those that stand end with their server or their client.
    package func shutDown() { _ = shutdown(listener, Int32(SHUT_RDWR)) }

    private func relay(_ client: Int32, to port: Int) {
        let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = Self.loopback(port: port)
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
        let legs = Legs(client: client, server: server)
        Self.onThread {
            legs.copy(
                from: client, to: server,
                look: { request in
                    if request.range(of: Data("SUBSCRIBE".utf8)) != nil {
                        self.feeds.withLock { $0.append(legs) }
                    }
                }, rate: { nil })
        }
        Self.onThread { legs.copy(from: server, to: client, rate: { self.rate.withLock { $0 } }) }
    }

    private static func onThread(_ body: @escaping @Sendable () -> Void) {
        let thread = Thread(block: body)
        thread.name = "throttled-relay"
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

/// The two directions of one relayed connection; the one that ends last closes both ends.
private final class Legs: Sendable {
    private let client: Int32
    private let server: Int32
    private let left = Atomic(2)
    private let isHeld = Atomic(false)

    init(client: Int32, server: Int32) {
        self.client = client
        self.server = server
    }

    func hold() { isHeld.store(true, ordering: .relaxed) }

    /// Until one end is closed. A limited rate comes in fifty sips a second.
    func copy(from source: Int32, to sink: Int32, look: ((Data) -> Void)? = nil, rate: () -> Int?) {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        copying: while true {
            let limit = rate()
            let size = limit.map { max(1, min($0 / 50, chunk.count)) } ?? chunk.count
            let count = unsafe recv(source, &chunk, size, 0)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            look?(Data(chunk[..<count]))
            while source == server, isHeld.load(ordering: .relaxed), left.load(ordering: .relaxed) == 2 {
                Thread.sleep(forTimeInterval: 0.05)
            }
            var sent = 0
            while sent < count {
                let more = unsafe chunk.withUnsafeBytes {
                    unsafe send(
                        sink, $0.baseAddress.map { unsafe $0 + sent }, count - sent, Int32(MSG_NOSIGNAL))
                }
                if more < 0, errno == EINTR { continue }
                guard more > 0 else { break copying }
                sent += more
            }
            if limit != nil { Thread.sleep(forTimeInterval: Double(count) / Double(size) / 50) }
        }
        for end in [client, server] { _ = shutdown(end, Int32(SHUT_RDWR)) }
        guard left.subtract(1, ordering: .relaxed).newValue == 0 else { return }
        for end in [client, server] { _ = close(end) }
    }
}
