import Endpoints
import Lapse
import RedisClient

/// The options that say where Redis is and how to get in; every subcommand that talks to Redis has
/// them.
///
/// ```swift
/// @OptionGroup var connection: ConnectionOptions
/// …
/// let values = try await OptionValues(given: connection.values)
/// var configuration = ProcessorConfiguration()
/// try configuration.connect(values)
/// ```
typealias ConnectionOptions = GivenOptions<Connection>

enum Connection: OptionGroupTable {
    enum Switch: String, CaseIterable, Sendable { case on, off }

    static let redis = Setting<String>(
        row: OptionRow(
            name: "redis", arity: .list, value: "url,…",
            help: """
                Servers to begin with: redis://, rediss:// (TLS) or redis+sentinel://HOST:PORT/MASTER, with user, \
                password and database in the URL.
                """,
            standard: "redis://127.0.0.1:6379", isSecret: true), read: url)
    static let passwordFile = Setting.text(
        OptionRow(name: "redis-password-file", value: "file", help: "File that holds the password."))
    static let tlsAuthority = Setting.text(
        OptionRow(
            name: "tls-ca", value: "file", help: "PEM file with the authorities to trust.",
            standardHelp: "the system's"))
    static let tlsCertificate = Setting.text(
        OptionRow(name: "tls-cert", value: "file", help: "PEM file with this client's certificate (mutual TLS)."))
    static let tlsKey = Setting.text(
        OptionRow(name: "tls-key", value: "file", help: "PEM file with the key of --tls-cert."))
    static let tlsServerName = Setting.text(
        OptionRow(
            name: "tls-server-name", value: "name", help: "Name that every server's certificate must bear.",
            standardHelp: "the host that is connected to"))
    static let sentinelUser = Setting.text(
        OptionRow(name: "sentinel-user", value: "user", help: "User of the Sentinels.", standardHelp: "as in --redis"))
    static let sentinelPasswordFile = Setting.text(
        OptionRow(
            name: "sentinel-password-file", value: "file", help: "File that holds the Sentinels' password.",
            standardHelp: "as for the servers, if they ask for one"))
    static let sentinelTLS = Setting<Switch>.choice(
        OptionRow(name: "sentinel-tls", help: "Whether the Sentinels use TLS.", standardHelp: "as in --redis"))
    static let announced = Setting<AnnouncedAddress>.choice(
        OptionRow(
            name: "announced",
            help: "Which address of a node is used: its IP address, its host name, or (auto) the name with TLS.",
            standard: "auto"))
    static let topology = Setting<ProcessorConfiguration.TopologyMode>.choice(
        OptionRow(name: "topology", help: "What runs on the servers.", standard: "auto"))
    static let connectTimeout = Setting.duration(
        OptionRow(
            name: "connect-timeout", value: "duration", help: "Longest wait for one connection.", standard: "2s"))
    static let startupTimeout = Setting.duration(
        OptionRow(
            name: "startup-timeout", value: "duration", help: "Give up when Redis is not reached within this time.",
            standardHelp: "run and tail keep trying, the others 5s"))
    static let addressMap = Setting.text(
        OptionRow(
            name: "address-map", arity: .list, value: "from=to",
            help: "Rewrites an address that nodes announce, behind NAT: host:port=host:port or host=host."))
    static let config = Setting.text(
        OptionRow(
            name: "config", value: "file",
            help: "YAML or JSON file with any of these options: --lease-ttl is leaseTtl there."))

    static let rows = [
        redis.row, passwordFile.row, tlsAuthority.row, tlsCertificate.row, tlsKey.row, tlsServerName.row,
        sentinelUser.row, sentinelPasswordFile.row, sentinelTLS.row, announced.row, topology.row,
        connectTimeout.row, startupTimeout.row, addressMap.row, config.row,
    ]

    /// Checks a server's URL; an error never shows what may be a part of a password.
    @Sendable static func url(_ text: String) throws(Malformed) -> String {
        do throws(RedisURLError) { _ = try RedisURL(text) } catch {
            // What the error quotes may be a part of a password that holds an unescaped character.
            guard error.description.contains("'") else { throw Malformed("cannot be used: \(error)") }
            throw Malformed(
                "cannot be used: write redis://user:password@host:port/database, with %40 for @, %2F for /, %3A for :"
            )
        }
        return text
    }
}

extension ProcessorConfiguration {
    /// Takes over the options for the connection.
    mutating func connect(_ values: OptionValues) throws(Failure) {
        redis = try values.all(Connection.redis)
        if let path = try values(Connection.passwordFile) {
            password = try PasswordFile.open(path, Connection.passwordFile.row).current.reveal
            passwordFile = path
        }
        sentinel.user = try values(Connection.sentinelUser)
        if let path = try values(Connection.sentinelPasswordFile) {
            sentinel.password = try PasswordFile.open(path, Connection.sentinelPasswordFile.row).current.reveal
            sentinel.passwordFile = path
        }
        sentinel.usesTLS = try values(Connection.sentinelTLS).map { $0 == .on }
        if let value = try values(Connection.announced) { announced = value }
        tlsServerName = try values(Connection.tlsServerName)
        tls.authority = try values(Connection.tlsAuthority)
        tls.certificate = try values(Connection.tlsCertificate)
        tls.key = try values(Connection.tlsKey)
        if let value = try values(Connection.topology) { topology = value }
        if let value = try values(Connection.connectTimeout) { connectTimeout = value }
        startupTimeout = try values(Connection.startupTimeout)
        addressMap = try values.all(Connection.addressMap)
    }
}
