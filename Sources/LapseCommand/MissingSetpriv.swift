import Console
import Processes
import Supervision

/// Without setpriv (util-linux) a program does not end with the process that started it.
enum MissingSetpriv {
    /// Warns at the start where that is so. A parent ends what its worker has left.
    ///
    /// - Parameter consequence: what the program does then.
    static func warn(_ place: String, _ consequence: String) {
        guard Executable.search("setpriv") == nil, Role.own.role == nil else { return }
        FatalLine.write(
            "\(place): there is no setpriv (util-linux): \(consequence); install it, or give --supervise on",
            level: .warning)
    }
}
