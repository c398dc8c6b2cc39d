#if MySQL
import LeaderElection

/// An error of the server or of the connection to it, and what follows from it.
struct DatabaseFailure: Error, Equatable {
    enum Kind: Equatable {
        /// The connection is gone, or there was none. What was asked may have been done.
        case lost
        /// No answer in time.
        case timedOut
        /// Undone by the server because of others (a deadlock): ask again.
        case contended
        /// A row with this key is there already.
        case duplicate
        /// Nothing but an operator can help.
        case denied
        /// The server only reads: a replica.
        case readOnly
        case unexpected
    }

    var kind: Kind
    var number: UInt32
    var text: String

    init(_ kind: Kind, number: UInt32 = 0, _ text: String) {
        self.kind = kind
        self.number = number
        self.text = text
    }

    /// Numbers: MariaDB's and MySQL's "Server Error Codes" and "Client Error Codes".
    init(number: UInt32, text: String) {
        self.init(Self.kind(number), number: number, text)
    }

    private static func kind(_ number: UInt32) -> Kind {
        switch number {
        // Cannot connect, gone away, lost in a query, unknown host, malformed packet.
        case 2002, 2003, 2005, 2006, 2012, 2013, 2014, 2027, 2055: .lost
        // Too many connections, shutting down, cut by the server, killed, idle for too long.
        case 1040, 1053, 1077, 1079, 1152...1161, 1184, 1203, 1317, 1927, 4031: .lost
        // Waited too long for a row's lock, deadlock, Galera does not answer for its group.
        case 1205, 1213, 1969, 3024: .contended
        case 1047: .lost
        case 1062: .duplicate
        // Rights, logins, no such database; TLS; a plugin that would show the password.
        case 1044, 1045, 1049, 1129, 1130, 1131, 1132, 1133, 1142, 1143, 1227, 1251, 1396, 1698, 1820, 1862, 3118,
            3159, 4151, 2026, 2054, 2058, 2059, 2061:
            .denied
        // A column that is too narrow or has no default.
        case 1054, 1146, 1264, 1364, 1366, 1406: .denied
        case 1290, 1792, 1836: .readOnly
        default: .unexpected
        }
    }

    /// The connection cannot be used any more.
    var endsConnection: Bool { kind == .lost || kind == .timedOut || number == 2026 }

    /// As the elector hears it; `server` names the host.
    func registerError(server: String) -> RegisterError {
        switch kind {
        case .timedOut: .timedOut
        case .lost: .unreachable("\(server): \(text)\(suffix)")
        case .contended: .unreachable("\(server): too much contention: \(text)\(suffix)")
        case .readOnly: .unreachable("\(server) only reads (\(text)): name the primary")
        case .denied: .denied("\(server): \(text)\(suffix)\(hint)")
        case .duplicate, .unexpected: .unexpected("\(server): \(text)\(suffix)")
        }
    }

    private var suffix: String { number == 0 ? "" : " (error \(number))" }

    private var hint: String {
        switch number {
        case 1045, 1698: ": check the user and the password file"
        case 1044, 1049: ": check the database's name and GRANT the user rights on it"
        case 1142, 1143: ": GRANT SELECT, INSERT, UPDATE on the table to the user"
        case 1251, 3159, 2026: ": check mysql+tls:// and the certificates on both sides"
        case 2059, 2061: ": give the user a login that does not send the password as it is"
        case 1264, 1366, 1406: ": a column of the table is too narrow for this"
        default: ""
        }
    }
}
#endif
