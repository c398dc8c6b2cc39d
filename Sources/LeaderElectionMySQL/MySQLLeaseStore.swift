#if MySQL
public import LeaderElection
public import Logging

/// The lease in one row of a table of MySQL or MariaDB.
///
/// The row is the only vote: while its server is away no replica is elected. Leases end by the server's
/// clock alone. There is no push: followers poll. Calls block a thread that belongs to the store, never
/// an event loop.
public final class MySQLLeaseStore: LeaseStore {
    /// One: the election's row.
    public let registers: [any LeaseRegister]
    /// Which table of which database, how it is written, and which row of it where that is not the first.
    public let naming: String
    private let register: TableRegister
    private let client: DatabaseClient
    private let thread: DatabaseThread

    /// Tokens that grow, and the server's time. Not replicated by itself: a replica that is promoted
    /// without the last commits has forgotten the lease, and only the token tells the old leader from the
    /// new one.
    public let capabilities: StoreCapabilities = [.fencing, .serverTime]

    /// One server.
    public let failureDomains: Int? = 1

    /// Connects at the first operation; makes the table if it is missing. Call ``shutDown()`` at the end.
    public init(configuration: MySQLConfiguration, name: String, logger: Logger) {
        let row = configuration.row == 1 ? "" : " row=\(configuration.row)"
        naming = "mysql \(configuration.scheme.rawValue) \(configuration.database).\(configuration.table)\(row)"
        client = DatabaseClient()
        thread = DatabaseThread()
        let server =
            configuration.host.contains(":")
            ? "[\(configuration.host)]:\(configuration.port)" : "\(configuration.host):\(configuration.port)"
        register = TableRegister(
            label: "\(server)/\(configuration.database).\(configuration.table):\(name)", server: "mysql \(server)",
            thread: thread, patience: .seconds(configuration.timeoutSeconds),
            session: DatabaseSession(client: client, configuration: configuration, name: name, logger: logger))
        registers = [register]
    }

    /// Ends what waits for the server, closes the connection, and waits for the thread's end. Called once,
    /// after the elector's `run` returned. In a task that is cancelled the connection is closed with the
    /// last reference to the store.
    public func shutDown() async {
        client.interrupt()
        await register.disconnect()
        await thread.shutDown()
    }
}
#endif
