package import Endpoints

/// Where to begin and how to log in, read from what a user wrote: URLs, a password, TLS files, address
/// rules.
package struct RedisDeployment: Sendable {
    /// What a user writes.
    package struct Input: Sendable {
        package var urls: [String]
        /// Nil: ask the servers; with `redis+sentinel://` URLs it is Sentinel.
        package var mode: Topology.Mode?
        package var addressMap: [String] = []
        package var password: String?
        /// The same from a file, which is read again when it has changed.
        package var passwordFile: String?
        package var sentinel = SentinelAccess()
        package var announced = AnnouncedAddress.auto
        /// The name that every server's certificate must bear; nil for the host that is connected to.
        package var tlsServerName: String?
        package var tls = TLSFiles()
        package var connectTimeout: Duration = .seconds(2)
        package var clientName: String

        package init(urls: [String], clientName: String) {
            self.urls = urls
            self.clientName = clientName
        }
    }

    /// What cannot be used, and what would be right; never a secret.
    package struct Malformed: Error, Sendable {
        /// The property of a configuration; nil where it is several.
        package var property: String?
        package let text: String
    }

    package let seeds: RedisSeeds
    package let settings: ConnectionSettings
    package let sentinelSettings: ConnectionSettings
    /// The database that a URL names.
    package let database: Int?

    package init(_ input: Input) throws(Malformed) {
        var urls: [RedisURL] = []
        for text in input.urls {
            do throws(RedisURLError) { urls.append(try RedisURL(text)) } catch {
                throw Malformed(property: "redis", text: "\(error)")
            }
        }
        guard let first = urls.first else { throw Malformed(property: "redis", text: "name at least one server") }
        guard urls.allSatisfy({ $0.scheme == first.scheme && $0.masterName == first.masterName }) else {
            throw Malformed(property: "redis", text: "all URLs must have the same scheme and master name")
        }
        let mode = input.mode ?? (first.isSentinel ? .sentinel : nil)
        guard (mode == .sentinel) == first.isSentinel else {
            throw Malformed(property: "topology", text: "sentinel and redis+sentinel:// URLs belong together")
        }
        var seeds = RedisSeeds(addresses: urls.map(\.address), mode: mode)
        if first.isSentinel { seeds.masterName = first.masterName }
        for rule in input.addressMap where !seeds.map.add(rule) {
            throw Malformed(
                property: "addressMap", text: "'\(rule)' is not FROM=TO (host:port=host:port, or host=host)")
        }
        seeds.useHostNames =
            switch input.announced {
            case .auto: first.usesTLS
            case .ip: false
            case .name: true
            }
        self.seeds = seeds
        database = first.database

        let own = urls.compactMap(\.credentials).first
        let credentials = try Self.credentials(input.password, input.passwordFile, user: own?.user) ?? own
        if input.password == nil, input.passwordFile == nil, own?.hasPassword == false {
            throw Malformed(
                property: "redis", text: "names a user and no password: write user:password@, or name a password file")
        }
        var settings = ConnectionSettings(
            clientName: input.clientName, credentials: credentials, tls: try Self.tls(input, first.usesTLS))
        settings.connectTimeout = input.connectTimeout
        self.settings = settings
        sentinelSettings = try Self.sentinelSettings(input, settings, isSentinel: first.isSentinel)
    }

    private static func credentials(
        _ password: String?, _ file: String?, user: String?
    ) throws(Malformed) -> Credentials? {
        if let file {
            do throws(SecretFile.Unusable) { return Credentials(user: user, file: try SecretFile(file)) } catch {
                throw Malformed(text: "a password file: \(error)")
            }
        }
        return password.map { Credentials(user: user, password: Secret($0)) }
    }

    private static func tls(_ input: Input, _ isWanted: Bool) throws(Malformed) -> TLSSettings? {
        // The Sentinels alone may be encrypted.
        guard isWanted || input.sentinel.usesTLS == true else {
            let given =
                input.tls.authority.map { _ in "tls.authority" } ?? input.tls.certificate.map { _ in "tls.certificate" }
                ?? input.tlsServerName.map { _ in "tlsServerName" }
            if let given { throw Malformed(property: given, text: "needs rediss:// URLs") }
            return nil
        }
        guard isWanted else { return nil }
        return try makeTLS(input)
    }

    private static func makeTLS(_ input: Input) throws(Malformed) -> TLSSettings {
        do throws(RedisError) {
            return try TLSSettings(input.tls, serverName: input.tlsServerName)
        } catch { throw Malformed(text: error.text) }
    }

    /// The Sentinels' own credentials; where none are given, those of the servers, for a Sentinel that asks
    /// for some.
    private static func sentinelSettings(
        _ input: Input, _ servers: ConnectionSettings, isSentinel: Bool
    ) throws(Malformed) -> ConnectionSettings {
        let access = input.sentinel
        guard isSentinel || access == SentinelAccess() else {
            let given =
                access.user != nil ? "sentinelUser" : access.usesTLS != nil ? "sentinelTLS" : "sentinelPasswordFile"
            throw Malformed(property: given, text: "needs a redis+sentinel:// URL")
        }
        var settings = servers
        switch access.usesTLS {
        case true?: if settings.tls == nil { settings.tls = try makeTLS(input) }
        case false?: settings.tls = nil
        case nil: break
        }
        if let own = try credentials(access.password, access.passwordFile, user: access.user) {
            settings.credentials = own
            return settings
        }
        if let user = access.user { settings.credentials = servers.credentials?.named(user) }
        settings.mayBeOpen = true
        // What goes encrypted to the servers is not said in plain text to their Sentinels.
        if servers.tls != nil, settings.tls == nil { settings.credentials = nil }
        return settings
    }
}

/// How to get into the Sentinels, where they differ from the servers.
package struct SentinelAccess: Sendable, Equatable {
    package var user: String?
    package var password: String?
    package var passwordFile: String?
    /// Nil: as the servers.
    package var usesTLS: Bool?

    package init() {}
}
