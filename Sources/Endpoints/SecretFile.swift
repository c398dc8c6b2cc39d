import Synchronization

#if canImport(Musl)
import Musl
#else
import Glibc
#endif

/// What tells one version of a file from the next, without reading it: a file that is replaced has
/// another inode, one that is written anew another time.
package struct FileStamp: Sendable, Equatable {
    private let device: UInt64
    private let inode: UInt64
    private let size: Int64
    private let seconds: Int
    private let nanoseconds: Int

    /// Nil for a file that is not there or may not be looked at. Symbolic links are followed: secrets of
    /// Kubernetes are renewed by changing one.
    package init?(_ path: String) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        seconds = status.st_mtim.tv_sec
        nanoseconds = status.st_mtim.tv_nsec
    }
}

/// A file that holds one password and nothing else, read again when it has changed.
package final class SecretFile: Sendable, Equatable {
    /// Why it cannot be used; never what is in it.
    package struct Unusable: Error, Sendable, CustomStringConvertible {
        package let description: String
    }

    private struct State {
        var stamp: FileStamp?
        var secret: Secret
    }

    package let path: String
    private let state: Mutex<State>

    /// Reads it a first time.
    package init(_ path: String) throws(Unusable) {
        self.path = path
        let stamp = FileStamp(path)
        state = Mutex(State(stamp: stamp, secret: try Self.read(path)))
    }

    /// What is in it now. While it cannot be read, as in the middle of a renewal, what was in it last.
    package var current: Secret {
        state.withLock { state in
            let stamp = FileStamp(path)
            guard stamp != state.stamp, let secret = try? Self.read(path) else { return state.secret }
            // The stamp is from before the reading: a file that changed in between is read once more.
            state = State(stamp: stamp, secret: secret)
            return secret
        }
    }

    package static func == (left: SecretFile, right: SecretFile) -> Bool { left.path == right.path }

    private static let limit = 64 << 10

    private static func read(_ path: String) throws(Unusable) -> Secret {
        let unreadable = Unusable(
            description: "\(path) cannot be read: check that it exists and that this user may read it")
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw unreadable }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw unreadable }
            if count == 0 { break }
            bytes += chunk.prefix(count)
            guard bytes.count <= limit else { throw Unusable(description: "\(path) is longer than any password") }
        }
        var text = String(decoding: bytes, as: UTF8.self)
        // Editors end a file with a newline; a password has none.
        while text.last?.isNewline ?? false { text.removeLast() }
        guard !text.isEmpty else { throw Unusable(description: "\(path) is empty") }
        return Secret(text)
    }
}
