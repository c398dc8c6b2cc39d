package import Endpoints

/// How `redis-cli` gets in where Lapse does. The password is no word of it: redis-cli takes that from
/// REDISCLI_AUTH, which a shell reads from the file that Lapse has it from.
package struct RedisLogin: Sendable {
    /// Nil for the default user.
    package var user: String?
    /// Nil where the password is in a URL: the operator sets REDISCLI_AUTH then.
    package var passwordPath: String?
    package var usesTLS = false
    package var files = TLSFiles()

    package init() {}

    /// - Parameter files: those of which the settings were made.
    package init(_ settings: ConnectionSettings, _ files: TLSFiles) {
        user = settings.credentials?.user
        passwordPath = settings.credentials?.passwordPath
        usesTLS = settings.tls != nil
        self.files = files
    }

    /// What stands before the command. An assignment is not split into words, so that no quotes are needed.
    fileprivate var assignment: String {
        passwordPath.map { "REDISCLI_AUTH=$(cat \(RedisCommandLine.quoted($0))) " } ?? ""
    }

    fileprivate var words: [String] {
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
package struct RedisCommandLine: Sendable {
    private let words: [String]
    private let assignment: String

    /// A command on one server.
    package init(_ node: NodeAddress, _ login: RedisLogin, _ words: [String]) {
        assignment = login.assignment
        self.words = login.words + ["-h", node.host, "-p", "\(node.port)"] + words
    }

    /// What `redis-cli --cluster` does to a whole cluster: `fix` and `rebalance` with an address,
    /// `add-node`, and `call` for a command on every node that answers. `del-node` does not know a node
    /// that is gone.
    package init(cluster words: [String], _ login: RedisLogin) {
        assignment = login.assignment
        self.words = login.words + ["--cluster"] + words
    }

    package var text: String { assignment + (["redis-cli"] + words).map(Self.quoted).joined(separator: " ") }

    private static let plain = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/+@%=,")

    /// The word as one argument, quoted only where a shell would read something into it.
    static func quoted(_ word: String) -> String {
        if !word.isEmpty, word.allSatisfy(plain.contains) { return word }
        return "'" + word.replacing("'", with: #"'\''"#) + "'"
    }
}
