#if MySQL
public import Endpoints

/// Where the election's table is, and how to log in.
///
/// Its description never shows the password.
public struct MySQLConfiguration: Sendable, Equatable {
    /// How a table holds a lease.
    public enum Scheme: String, Sendable, CaseIterable {
        /// `host_master`: one row per election, with a version that is compared and set, and the time of the
        /// last heartbeat.
        case heartbeat
        /// The lease table: one row per action, with its holder and the time at which the lease ends.
        case lease

        var defaultTable: String {
            switch self {
            case .heartbeat: "host_master"
            case .lease: "lease"
            }
        }
    }

    /// The primary: election over a replica that lags is none.
    public var host: String
    /// 3306 unless given.
    public var port: Int
    /// The user that logs in.
    public var user: String
    /// The database the table is in.
    public var database: String
    /// How the table holds a lease.
    public var scheme: Scheme
    /// 1 to 64 letters, digits, `_` and `$`; `host_master` or `lease` unless given.
    public var table: String
    /// With a `host_master` that was there before, which has no column for names: the `id` of this
    /// election's row, from 1.
    public var row: UInt32 = 1
    /// How to encrypt; nil: plain text. The server's certificate and its name are always checked.
    public var tls: TLSFiles?
    /// Connecting, one read and one write each end after this long, in whole seconds, rounded up, at least
    /// one.
    public var timeout: Duration = .seconds(2)
    /// Where the password is renewed; it counts before the one given.
    package var passwordFile: SecretFile?
    let password: Password?

    /// A table in a database. `table` is the scheme's own unless given.
    public init(
        host: String, port: Int = 3306, user: String, password: String? = nil, database: String,
        scheme: Scheme = .heartbeat, table: String? = nil, tls: TLSFiles? = nil
    ) {
        self.host = host
        self.port = port
        self.user = user
        self.password = password.map(Password.init)
        self.database = database
        self.scheme = scheme
        self.table = table ?? scheme.defaultTable
        self.tls = tls
    }

    /// Whole seconds, at least one: that is what libmariadb counts in.
    package var timeoutSeconds: UInt32 {
        let (seconds, rest) = timeout.components
        return UInt32(clamping: max(1, seconds + (rest > 0 ? 1 : 0)))
    }
}

/// Shows itself nowhere.
struct Password: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    let text: String
    var description: String { "<password>" }
    var customMirror: Mirror { Mirror(self, children: []) }
}
#endif
