import Glibc
import ThrowawayRedis

/// A blocking connection to a server, for one thread: the least there is between a program and the
/// wire.
final class PlainSocket: Sendable {
    private let descriptor: Int32

    convenience init(to server: ThrowawayServer) throws { try self.init(host: server.host, port: server.port) }

    init(host: String, port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = unsafe inet_addr(host)
        var one: Int32 = 1
        unsafe setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
        let failed = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) != 0
            }
        }
        if failed { throw ThrowawayRedisError("cannot connect to \(host):\(port)") }
    }

    deinit { _ = close(descriptor) }

    func write(_ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes[sent...].withUnsafeBytes {
                unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            sent += count
        }
    }

    /// What has arrived, at least one byte; 0 at the end.
    func read(into buffer: inout [UInt8]) -> Int { unsafe Glibc.read(descriptor, &buffer, buffer.count) }

    /// A task that reads sees the end.
    func end() { _ = shutdown(descriptor, Int32(SHUT_RDWR)) }
}

/// The number at the end of a key.
enum KeyNumber {
    static let digits = 12

    static func of(_ digits: some Sequence<UInt8>) -> Int {
        digits.reduce(0) { (48...57).contains($1) ? $0 * 10 + Int($1) - 48 : 0 }
    }
}
