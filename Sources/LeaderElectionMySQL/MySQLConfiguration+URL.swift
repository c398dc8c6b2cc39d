#if MySQL
package import Endpoints

extension MySQLConfiguration {
    private static let shape = "mysql://user@host:3306/database?scheme=heartbeat"

    /// Reads `mysql://user@host:3306/database?scheme=heartbeat`, or `?scheme=lease`, or `mysql+tls://…`;
    /// further `&table=NAME` and, for a `host_master` that was there before, `&row=ID`. The paths name PEM
    /// files.
    package init(
        url: String, password: String? = nil, passwordFile: SecretFile? = nil,
        tls files: TLSFiles = TLSFiles()
    ) throws(MySQLURLError) {
        guard let separator = url.firstRange(of: "://") else { throw MySQLURLError("a MySQL URL is \(Self.shape)") }
        let usesTLS: Bool
        switch url[..<separator.lowerBound].lowercased() {
        case "mysql", "mariadb": usesTLS = false
        case "mysql+tls", "mariadb+tls": usesTLS = true
        default: throw MySQLURLError("unknown scheme: use mysql:// or mysql+tls://")
        }
        var rest = url[separator.upperBound...]
        var options: Substring = ""
        if let mark = rest.firstIndex(of: "?") {
            options = rest[rest.index(after: mark)...]
            rest = rest[..<mark]
        }
        guard let slash = rest.firstIndex(of: "/") else {
            throw MySQLURLError("the database is missing: \(Self.shape)")
        }
        let database = try Self.decoded(rest[rest.index(after: slash)...], "database")
        rest = rest[..<slash]
        guard !database.isEmpty, !database.contains("/") else {
            throw MySQLURLError("behind the host stands one database: \(Self.shape)")
        }
        guard let at = rest.lastIndex(of: "@"), at > rest.startIndex else {
            throw MySQLURLError("the user is missing: \(Self.shape)")
        }
        guard !rest[..<at].contains(":") else {
            throw MySQLURLError("a password in the URL can be seen by other users: put it into a file")
        }
        let user = try Self.decoded(rest[..<at], "user")
        let (host, port) = try Self.address(rest[rest.index(after: at)...])
        if !usesTLS, !files.isEmpty {
            throw MySQLURLError("certificates are given, but nothing is encrypted: write mysql+tls://")
        }
        guard (files.certificate == nil) == (files.key == nil) else {
            throw MySQLURLError("a client certificate and its key go together: give both or none")
        }
        self.init(
            host: host, port: port, user: user, password: password, database: database,
            tls: usesTLS ? files : nil)
        self.passwordFile = passwordFile
        try read(options)
    }

    private mutating func read(_ options: Substring) throws(MySQLURLError) {
        var table: String?
        for option in options.split(separator: "&") {
            let pair = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = pair.count == 2 ? String(pair[1]) : ""
            switch pair[0] {
            case "scheme":
                guard let scheme = Scheme(rawValue: value) else {
                    throw MySQLURLError("scheme is heartbeat or lease: \(Self.shape)")
                }
                self.scheme = scheme
            case "table":
                guard Identifier(value) != nil else {
                    throw MySQLURLError("a table's name here is 1 to 64 letters, digits, '_' and '$'")
                }
                table = value
            case "row":
                guard let row = UInt32(value), row > 0 else {
                    throw MySQLURLError("row is a number from 1: the id in host_master")
                }
                self.row = row
            default: throw MySQLURLError("behind '?' stand scheme, table and row, separated by '&'")
            }
        }
        self.table = table ?? scheme.defaultTable
    }

    private static func address(_ text: Substring) throws(MySQLURLError) -> (host: String, port: Int) {
        // Before the rest: of 'a:1,b' one would say that its port is no number.
        guard !text.isEmpty, !text.contains(",") else {
            throw MySQLURLError("one host, the primary, stands behind '@': \(shape)")
        }
        do {
            let address = try HostAndPort(text)
            return (address.host, address.port ?? 3306)
        } catch { throw MySQLURLError("\(error): \(shape)") }
    }

    private static func decoded(_ text: Substring, _ what: String) throws(MySQLURLError) -> String {
        let decoded: String
        do { decoded = try String(percentEncoded: text, what) } catch { throw MySQLURLError(error.description) }
        guard !decoded.utf8.contains(0) else { throw MySQLURLError("the \(what) is text without zeros") }
        return decoded
    }
}
#endif
