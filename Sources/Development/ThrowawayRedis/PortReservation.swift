import Glibc

/// A port, with its cluster bus port 10000 above, held for one server of this process.
///
/// The hold is a Unix socket in the abstract namespace: other test processes see it, it leaves no file,
/// and the kernel drops it with the process. It keeps a killed server's port free for its restart.
final class PortReservation: Sendable {
    let port: Int
    private let descriptor: Int32

    private init(port: Int, descriptor: Int32) {
        self.port = port
        self.descriptor = descriptor
    }

    deinit { _ = close(descriptor) }

    /// The range keeps base and bus ports apart from each other and both below the ephemeral ports (32768).
    private static let range = 10_000..<20_000
    private static let busOffset = 10_000

    /// A port that is free now on IPv4 and IPv6, or the wanted one.
    static func take(_ wanted: Int? = nil) throws -> PortReservation {
        if let wanted {
            guard let reservation = attempt(wanted) else {
                throw ThrowawayRedisError("port \(wanted) or its bus port is in use: choose another")
            }
            return reservation
        }
        for _ in 0..<500 {
            if let reservation = attempt(Int.random(in: range)) { return reservation }
        }
        throw ThrowawayRedisError("no free port in \(range): end servers left from other runs")
    }

    private static func attempt(_ port: Int) -> PortReservation? {
        guard let descriptor = hold(port) else { return nil }
        guard isFree(port), port + busOffset > 65_535 || isFree(port + busOffset) else {
            _ = close(descriptor)
            return nil
        }
        return PortReservation(port: port, descriptor: descriptor)
    }

    private static func hold(_ port: Int) -> Int32? {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = [0] + Array("throwaway-redis-\(port)".utf8)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: name) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
        guard bound(descriptor, &address, length) else {
            _ = close(descriptor)
            return nil
        }
        return descriptor
    }

    private static func isFree(_ port: Int) -> Bool {
        var four = sockaddr_in()
        four.sin_family = sa_family_t(AF_INET)
        four.sin_port = in_port_t(port).bigEndian
        var six = sockaddr_in6()
        six.sin6_family = sa_family_t(AF_INET6)
        six.sin6_port = in_port_t(port).bigEndian
        return binds(AF_INET, &four) && binds(AF_INET6, &six)
    }

    /// True when the address can be bound, and when this machine does not speak the family at all.
    private static func binds<Address>(_ family: Int32, _ address: inout Address) -> Bool {
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return true }
        defer { _ = close(descriptor) }
        var on: Int32 = 1
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        if family == AF_INET6 {
            unsafe setsockopt(
                descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &on, socklen_t(MemoryLayout<Int32>.size))
        }
        return bound(descriptor, &address, socklen_t(MemoryLayout<Address>.size))
    }

    private static func bound<Address>(_ descriptor: Int32, _ address: inout Address, _ length: socklen_t) -> Bool {
        unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(descriptor, $0, length) == 0
            }
        }
    }
}
