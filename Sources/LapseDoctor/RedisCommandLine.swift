import RedisClient

/// A `redis-cli` line to paste into a shell. It holds no password: redis-cli takes that from REDISCLI_AUTH.
struct RedisCommandLine {
    var node: NodeAddress
    var usesTLS = false
    var words: [String]

    var text: String {
        let start = ["redis-cli"] + (usesTLS ? ["--tls"] : []) + ["-h", node.host, "-p", "\(node.port)"]
        return (start + words).map(Self.quoted).joined(separator: " ")
    }

    /// The same command on every node of a cluster that answers. `del-node` does not know a node that is gone.
    static func clusterCall(_ node: NodeAddress, _ usesTLS: Bool, _ words: [String]) -> String {
        let start = ["redis-cli"] + (usesTLS ? ["--tls"] : []) + ["--cluster", "call", "\(node)"]
        return (start + words).map(quoted).joined(separator: " ")
    }

    private static let plain = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/+@%=,")

    /// The word as one argument, quoted only where a shell would read something into it.
    static func quoted(_ word: String) -> String {
        if !word.isEmpty, word.allSatisfy(plain.contains) { return word }
        return "'" + word.replacing("'", with: #"'\''"#) + "'"
    }
}
