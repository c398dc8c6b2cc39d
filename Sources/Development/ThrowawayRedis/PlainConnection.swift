import Glibc

/// A non-blocking TCP connection that belongs to one thread. It knows no TLS.
final class PlainConnection {
    let descriptor: Int32
    private var outgoing: [UInt8] = []
    private var parser = ReplyParser()
    private var chunk = [UInt8](repeating: 0, count: 65_536)
    /// Set once the peer closed or broke the connection, or spoke no RESP.
    private(set) var isClosed = false

    /// Connects, and waits at most `limit` for it.
    init?(to server: ThrowawayServer, within limit: Duration) {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_NUMERICHOST
        var found: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(server.host, "\(server.port)", &hints, &found) == 0, let address = unsafe found
        else { return nil }
        defer { unsafe freeaddrinfo(address) }
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        descriptor = unsafe socket(address.pointee.ai_family, kind, 0)
        guard descriptor >= 0 else { return nil }
        let started = unsafe connect(descriptor, address.pointee.ai_addr, address.pointee.ai_addrlen) == 0
        guard started || errno == EINPROGRESS, started || isConnected(within: limit) else { return nil }
        if let password = server.options.password { send(["AUTH", password]) }
    }

    deinit { if descriptor >= 0 { _ = close(descriptor) } }

    func send(_ words: [String]) {
        outgoing += Array("*\(words.count)\r\n".utf8)
        for word in words { outgoing += Array("$\(word.utf8.count)\r\n\(word)\r\n".utf8) }
    }

    var hasUnsent: Bool { !outgoing.isEmpty }

    /// Writes what the kernel takes.
    func flush() {
        while !outgoing.isEmpty, !isClosed {
            let count = unsafe Glibc.send(descriptor, outgoing, outgoing.count, Int32(MSG_NOSIGNAL))
            guard count > 0 else {
                if errno != EAGAIN, errno != EINTR { isClosed = true }
                return
            }
            outgoing.removeFirst(count)
        }
    }

    /// All replies that are here by now.
    func receive() -> [Reply] {
        var replies: [Reply] = []
        while !isClosed {
            let count = unsafe recv(descriptor, &chunk, chunk.count, 0)
            if count > 0 {
                parser.append(chunk[..<count])
                do {
                    while let reply = try parser.next() { replies.append(reply) }
                } catch {
                    isClosed = true
                }
                if count < chunk.count { break }
            } else {
                if count == 0 || errno != EAGAIN && errno != EINTR { isClosed = true }
                break
            }
        }
        return replies
    }

    /// One command and its reply, for connections with nothing else under way.
    func ask(_ words: [String], within limit: Duration) -> Reply? {
        send(words)
        let deadline = ContinuousClock.now + limit
        while !isClosed, ContinuousClock.now < deadline {
            flush()
            // The reply to AUTH may come first.
            if let reply = receive().last(where: { $0 != .text("OK") }) { return reply }
            Self.wait(for: [self], upTo: .milliseconds(20))
        }
        return nil
    }

    /// Blocks until one of them can be read, or written if it has something unsent.
    static func wait(for connections: some Collection<PlainConnection>, upTo limit: Duration) {
        var entries = connections.map { connection in
            pollfd(
                fd: connection.descriptor, events: Int16(POLLIN | (connection.hasUnsent ? POLLOUT : 0)), revents: 0)
        }
        _ = unsafe poll(&entries, nfds_t(entries.count), Int32(limit.milliseconds))
    }

    private func isConnected(within limit: Duration) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard unsafe poll(&entry, 1, Int32(limit.milliseconds)) == 1 else { return false }
        var failure: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &length) == 0 && failure == 0
    }
}
