import Foundation
import Spawning

/// A command looked up on PATH.
package enum Executable {
    /// Debian package that brings each command, for the error message.
    private static let packages = [
        "redis-server": "redis-server", "redis-cli": "redis-tools", "openssl": "openssl", "setpriv": "util-linux",
        "etcd": "etcd-server", "mariadbd": "mariadb-server",
    ]

    /// The path of a command, or an error that names what to install.
    package static func find(_ name: String) throws -> String {
        guard let path = search(name) else {
            let fix = name.contains("/") ? "build it, or name another" : "apt-get install \(packages[name] ?? name)"
            throw ProcessError("\(name) not found: \(fix)")
        }
        return path
    }

    /// The path of a command, if there is one.
    package static func search(_ name: String) -> String? {
        if name.contains("/") { return FileManager.default.isExecutableFile(atPath: name) ? name : nil }
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        return path.split(separator: ":").map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}
