#if MySQL
extension MySQLConfiguration {
    private static let shape = "mysql://user@host:3306/database?scheme=heartbeat"

    /// Reads `mysql://user@host:3306/database?scheme=heartbeat`, or `?scheme=lease`, or `mysql+tls://…`; further
    /// `&table=NAME` and, for the article's `host_master` as it stands, `&row=ID`. The paths name PEM files.
    package init(
        url: String, password: String? = nil, tlsCA: String? = nil, tlsCert: String? = nil, tlsKey: String? = nil
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
            throw MySQLURLError("a password in the URL is seen by everybody: put it into a file")
        }
        let user = try Self.decoded(rest[..<at], "user")
        let (host, port) = try Self.address(rest[rest.index(after: at)...])
        if !usesTLS, tlsCA != nil || tlsCert != nil || tlsKey != nil {
            throw MySQLURLError("certificates are given, but nothing is encrypted: write mysql+tls://")
        }
        guard (tlsCert == nil) == (tlsKey == nil) else {
            throw MySQLURLError("a client certificate and its key go together: give both or none")
        }
        self.init(
            host: host, port: port, user: user, password: password, database: database,
            tls: usesTLS ? TLS(authority: tlsCA, certificate: tlsCert, key: tlsKey) : nil)
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
        var host = text
        var port: Substring?
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else {
                throw MySQLURLError("an IPv6 address stands in brackets: mysql://user@[::1]:3306/database")
            }
            host = text[text.index(after: text.startIndex)..<end]
            let behind = text[text.index(after: end)...]
            guard behind.isEmpty || behind.hasPrefix(":") else {
                throw MySQLURLError("behind ']' stands ':' and the port")
            }
            port = behind.isEmpty ? nil : behind.dropFirst()
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
        }
        guard !host.isEmpty, !host.contains(",") else {
            throw MySQLURLError("one host, the primary, stands behind '@': \(shape)")
        }
        let number = port.map { Int($0) ?? 0 } ?? 3306
        guard (1...65_535).contains(number) else { throw MySQLURLError("the port is a number of 1 to 65535") }
        return (String(host), number)
    }

    private static func decoded(_ text: Substring, _ what: String) throws(MySQLURLError) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let pair = String(decoding: rest.prefix(2), as: UTF8.self)
            guard pair.utf8.count == 2, pair.allSatisfy(\.isHexDigit), let value = UInt8(pair, radix: 16) else {
                throw MySQLURLError("a '%' in the \(what) is written %25")
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        guard let text = String(validating: bytes, as: UTF8.self), !text.utf8.contains(0) else {
            throw MySQLURLError("the \(what) is UTF-8 without zeros")
        }
        return text
    }
}
#endif
