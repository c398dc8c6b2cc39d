import Foundation
import Glibc
import Synchronization

/// What has to go when the process exits without a shut-down: running children and directories.
enum Leftovers {
    private struct Contents {
        var children: [ObjectIdentifier: ChildProcess] = [:]
        var directories: Set<URL> = []
        var isArmed = false
    }

    private static let contents = Mutex(Contents())

    static func add(_ child: ChildProcess) {
        contents.withLock { $0.children[ObjectIdentifier(child)] = child }
    }

    static func remove(_ child: ChildProcess) {
        contents.withLock { $0.children[ObjectIdentifier(child)] = nil }
    }

    /// A fresh directory, readable only by this user: configurations hold passwords and keys.
    static func makeDirectory(_ purpose: String) throws -> URL {
        let directory = FileManager.default.temporaryDirectory
            .appending(path: "throwaway-redis-\(purpose)-\(getpid())-\(UInt32.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(
            at: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        contents.withLock {
            $0.directories.insert(directory)
            guard !$0.isArmed else { return }
            $0.isArmed = true
            atexit { Leftovers.clear() }
        }
        return directory
    }

    static func removeDirectory(_ directory: URL) {
        try? FileManager.default.removeItem(at: directory)
        contents.withLock { _ = $0.directories.remove(directory) }
    }

    private static func clear() {
        let (children, directories) = contents.withLock { ($0.children.values.map { $0 }, $0.directories) }
        for child in children { child.killNow() }
        for directory in directories { try? FileManager.default.removeItem(at: directory) }
    }
}
