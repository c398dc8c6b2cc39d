import Foundation
import Glibc
import Synchronization
import ThrowawayRedis

/// Stands between a client and a Redis, and adds to the `expired_keys` that the server tells: as a server does that counts what
/// it does not announce (Redis 8.6, a SET whose deadline has passed).
///
/// The digits are replaced in place, so their number must not grow. The reply must come in one piece, as INFO stats does.
final class RewritingRelay: Sendable {
    let port: Int
    private let listener: Int32
    private let target: Int
    private let added = Mutex(0)
    private let isClosed = Atomic(false)
    private static let chunk = 256 << 10

    /// - Parameter target: a port on this machine.
    init(to target: Int) throws {
        self.target = target
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.listener = listener
        var address = Self.loopback(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe bind(listener, pointer, length) == 0 && listen(listener, 64) == 0
                    && getsockname(listener, pointer, &length) == 0
            }
        }
        guard isBound else { throw ThrowawayRedisError("the relay cannot listen: errno \(errno)") }
        port = Int(UInt16(bigEndian: address.sin_port))
        start { [self] in accept() }
    }

    /// So many more than the server has counted.
    func add(_ count: Int) { added.withLock { $0 += count } }

    func close() {
        isClosed.store(true, ordering: .relaxed)
        shutdown(listener, Int32(SHUT_RDWR))
        _ = Glibc.close(listener)
    }

    private func accept() {
        while !isClosed.load(ordering: .relaxed) {
            let client = Glibc.accept(listener, nil, nil)
            guard client >= 0 else { return }
            let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = Self.loopback(UInt16(target))
            let isConnected = unsafe withUnsafePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                    unsafe connect(server, pointer, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                }
            }
            guard isConnected else {
                _ = Glibc.close(client)
                continue
            }
            start { [self] in copy(from: client, to: server, rewriting: false) }
            start { [self] in copy(from: server, to: client, rewriting: true) }
        }
    }

    /// Until one end is closed.
    private func copy(from: Int32, to: Int32, rewriting: Bool) {
        var buffer = [UInt8](repeating: 0, count: Self.chunk)
        while true {
            let count = unsafe read(from, &buffer, Self.chunk)
            guard count > 0 else { break }
            if rewriting { rewrite(&buffer, count) }
            var sent = 0
            while sent < count {
                let more = unsafe buffer[sent..<count].withUnsafeBytes { unsafe write(to, $0.baseAddress, $0.count) }
                guard more > 0 else { break }
                sent += more
            }
        }
        shutdown(from, Int32(SHUT_RDWR))
        shutdown(to, Int32(SHUT_RDWR))
    }

    private func rewrite(_ buffer: inout [UInt8], _ count: Int) {
        let more = added.withLock { $0 }
        guard more > 0, let name = buffer[..<count].firstRange(of: Array("\nexpired_keys:".utf8)) else { return }
        let digits = buffer[name.upperBound..<count].prefix { (48...57).contains($0) }
        guard let number = Int(String(decoding: digits, as: UTF8.self)) else { return }
        let text = Array(String(number + more).utf8)
        guard text.count == digits.count else { return }
        buffer.replaceSubrange(digits.indices, with: text)
    }

    private func start(_ body: @escaping @Sendable () -> Void) {
        let thread = Thread(block: body)
        thread.name = "relay"
        thread.start()
    }

    private static func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }
}
