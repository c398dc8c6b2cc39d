/// Where to begin and who logs in, read from what a user wrote: URLs, a password, TLS files, address rules.
package struct RedisDeployment: Sendable {
    /// What a user writes.
    package struct Words: Sendable {
        package var urls: [String]
        /// Nil: ask the servers; with `redis+sentinel://` URLs it is Sentinel.
        package var mode: Topology.Mode?
        package var addressMap: [String] = []
        package var password: String?
        package var tlsAuthorityFile: String?
        package var tlsCertificateFile: String?
        package var tlsKeyFile: String?
        package var connectTimeout: Duration = .seconds(2)
        package var clientName: String

        package init(urls: [String], clientName: String) {
            self.urls = urls
            self.clientName = clientName
        }
    }

    /// What cannot be used, and what would be right; never a secret.
    package struct Malformed: Error, Sendable, CustomStringConvertible {
        package let description: String
    }

    package let seeds: RedisSeeds
    package let settings: ConnectionSettings
    /// The database that a URL names.
    package let database: Int?

    package init(_ words: Words) throws(Malformed) {
        var urls: [RedisURL] = []
        for text in words.urls {
            do throws(RedisURLError) { urls.append(try RedisURL(text)) } catch {
                throw Malformed(description: "--redis: \(error)")
            }
        }
        guard let first = urls.first else { throw Malformed(description: "--redis: name at least one server") }
        guard urls.allSatisfy({ $0.scheme == first.scheme && $0.masterName == first.masterName }) else {
            throw Malformed(description: "--redis: all URLs must have the same scheme and master name")
        }
        let mode = words.mode ?? (first.isSentinel ? .sentinel : nil)
        guard (mode == .sentinel) == first.isSentinel else {
            throw Malformed(description: "--topology sentinel and redis+sentinel:// URLs belong together")
        }
        var seeds = RedisSeeds(addresses: urls.map(\.address), mode: mode)
        if first.isSentinel { seeds.masterName = first.masterName }
        for rule in words.addressMap where !seeds.map.add(rule) {
            throw Malformed(
                description: "--address-map: '\(rule)' is not FROM=TO (host:port=host:port, or host=host)")
        }
        seeds.useHostNames = first.usesTLS
        self.seeds = seeds
        database = first.database

        var credentials = urls.compactMap(\.credentials).first
        if let password = words.password {
            credentials = Credentials(user: credentials?.user, password: Secret(password))
        }
        var settings = ConnectionSettings(
            clientName: words.clientName, credentials: credentials, tls: try Self.tls(words, first.usesTLS))
        settings.connectTimeout = words.connectTimeout
        self.settings = settings
    }

    private static func tls(_ words: Words, _ isWanted: Bool) throws(Malformed) -> TLSSettings? {
        guard isWanted else {
            guard words.tlsAuthorityFile == nil, words.tlsCertificateFile == nil else {
                throw Malformed(description: "--tls-ca and --tls-cert need rediss:// URLs")
            }
            return nil
        }
        do throws(RedisError) {
            return try TLSSettings(
                authorityFile: words.tlsAuthorityFile, certificateFile: words.tlsCertificateFile,
                keyFile: words.tlsKeyFile)
        } catch { throw Malformed(description: error.text) }
    }

    /// The Sentinels get the same credentials, but need not have any.
    package var sentinelSettings: ConnectionSettings {
        var settings = settings
        settings.mayBeOpen = true
        return settings
    }
}
