#if !MySQL
package import Endpoints
public import LeaderElection
public import Logging

/// Where the election's table is. This build knows no MySQL: none can be made.
public struct MySQLConfiguration: Sendable {
    fileprivate let none: Never

    /// Says how to build with MySQL.
    package init(
        url: String, password: String? = nil, passwordFile: SecretFile? = nil,
        tls files: TLSFiles = TLSFiles()
    ) throws(MySQLURLError) {
        throw MySQLURLError("built without MySQL: swift build --traits MySQL")
    }
}

/// The lease in a table of MySQL or MariaDB. This build knows no MySQL: none can be made.
public final class MySQLLeaseStore: LeaseStore {
    private let configuration: MySQLConfiguration

    /// Cannot be called: there is no configuration to call it with.
    public init(configuration: MySQLConfiguration, name: String, logger: Logger) {
        self.configuration = configuration
    }

    public let registers: [any LeaseRegister] = []
    public let capabilities: StoreCapabilities = []
    public let naming = "mysql"
}
#endif
