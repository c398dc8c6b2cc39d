package import Foundation
import Glibc
import Processes
import Synchronization

/// What has to go when the process exits without a shut-down: running children and directories.
package enum Leftovers {
    private struct Contents {
        var children: [ObjectIdentifier: ChildProcess] = [:]
        /// With the descriptor whose lock says that the owner lives.
        var directories: [URL: Int32] = [:]
        var isArmed = false
    }

    private static let prefix = "throwaway-redis-"
    private static let contents = Mutex(Contents())

    static func add(_ child: ChildProcess) {
        contents.withLock { $0.children[ObjectIdentifier(child)] = child }
    }

    static func remove(_ child: ChildProcess) {
        contents.withLock { $0.children[ObjectIdentifier(child)] = nil }
    }

    /// A fresh directory, readable only by this user: configurations hold passwords and keys.
    package static func makeDirectory(_ purpose: String) throws -> URL {
        let directory = FileManager.default.temporaryDirectory
            .appending(path: "\(prefix)\(purpose)-\(getpid())-\(UInt32.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(
            at: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        let lock = lock(directory)
        let isFirst = contents.withLock { contents in
            contents.directories[directory] = lock
            defer { contents.isArmed = true }
            return !contents.isArmed
        }
        if isFirst {
            atexit { Leftovers.clear() }
            removeOrphans()
        }
        return directory
    }

    static func removeDirectory(_ directory: URL) {
        try? FileManager.default.removeItem(at: directory)
        let lock = contents.withLock { $0.directories.removeValue(forKey: directory) }
        if let lock { _ = close(lock) }
    }

    /// Directories of owners that were killed, which no exit handler could remove.
    private static func removeOrphans() {
        let entries = try? FileManager.default.contentsOfDirectory(
            at: FileManager.default.temporaryDirectory, includingPropertiesForKeys: [.contentModificationDateKey])
        for entry in entries ?? [] where entry.lastPathComponent.hasPrefix(prefix) {
            // A young one may be about to be locked.
            let changed = try? entry.resourceValues(forKeys: [.contentModificationDateKey]).contentModificationDate
            guard let changed, changed.timeIntervalSinceNow < -60, let lock = lock(entry) else { continue }
            try? FileManager.default.removeItem(at: entry)
            _ = close(lock)
        }
    }

    /// A lock on a directory that ends with this process, or nil when another holds it.
    private static func lock(_ directory: URL) -> Int32? {
        let descriptor = unsafe open(directory.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            _ = close(descriptor)
            return nil
        }
        return descriptor
    }

    private static func clear() {
        let (children, directories) = contents.withLock { (Array($0.children.values), Array($0.directories.keys)) }
        for child in children { child.killNow() }
        for directory in directories { try? FileManager.default.removeItem(at: directory) }
    }
}
