import Glibc

/// The service manager, as sd_notify(3) reaches it: datagrams to a socket that it names.
package struct ServiceManager: Sendable {
    private let path: [UInt8]

    /// Nil where there is none, or one that cannot be reached this way.
    package init?(address: String?) {
        guard let address else { return nil }
        var path = Array(address.utf8)
        guard path.count > 1, path.count < 108, path[0] == UInt8(ascii: "/") || path[0] == UInt8(ascii: "@") else {
            return nil
        }
        // An abstract name.
        if path[0] == UInt8(ascii: "@") { path[0] = 0 }
        self.path = path
    }

    /// Does not wait; a notice that does not get through is lost.
    package func tell(_ notice: ServiceNotice) {
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { _ = close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + path.count)
        let bytes = Array(notice.rawValue.utf8)
        _ = unsafe withUnsafePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe sendto(
                    descriptor, bytes, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL), address,
                    length)
            }
        }
    }
}
