package import Endpoints
import RedisClient

/// How `redis-cli` gets in where Lapse does. The password is no word of it: redis-cli takes that from
/// REDISCLI_AUTH.
package struct RedisLogin: Sendable {
    /// Nil for the default user.
    package var user: String?
    package var usesTLS = false
    package var files = TLSFiles()

    package init() {}

    var words: [String] {
        var words = user.map { ["--user", $0] } ?? []
        guard usesTLS else { return words }
        words.append("--tls")
        for (option, file) in [("--cacert", files.authority), ("--cert", files.certificate), ("--key", files.key)] {
            if let file { words += [option, file] }
        }
        return words
    }
}

/// A `redis-cli` line to paste into a shell.
struct RedisCommandLine {
    var node: NodeAddress
    var login = RedisLogin()
    var words: [String]

    var text: String {
        let start = ["redis-cli"] + login.words + ["-h", node.host, "-p", "\(node.port)"]
        return (start + words).map(Self.quoted).joined(separator: " ")
    }

    /// The same command on every node of a cluster that answers. `del-node` does not know a node that is
    /// gone.
    static func clusterCall(_ node: NodeAddress, _ login: RedisLogin, _ words: [String]) -> String {
        (["redis-cli"] + login.words + ["--cluster", "call", "\(node)"] + words).map(quoted).joined(separator: " ")
    }

    private static let plain = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/+@%=,")

    /// The word as one argument, quoted only where a shell would read something into it.
    static func quoted(_ word: String) -> String {
        if !word.isEmpty, word.allSatisfy(plain.contains) { return word }
        return "'" + word.replacing("'", with: #"'\''"#) + "'"
    }
}
