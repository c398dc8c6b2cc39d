import LeaderElection
import Logging
import NIOCore
import NIOPosix
package import RedisClient

/// The connections of one purpose each, read from a configuration: where to begin, and who logs in.
package struct Deployment: Sendable {
    package let seeds: RedisSeeds
    package let settings: ConnectionSettings
    package let database: Int?

    /// Throws ``LapseError`` when a URL or a TLS file cannot be used.
    package init(_ configuration: ProcessorConfiguration) throws(LapseError) {
        var urls: [RedisURL] = []
        for text in configuration.redis {
            do throws(RedisURLError) { urls.append(try RedisURL(text)) } catch {
                throw .configuration("--redis: \(error)")
            }
        }
        guard let first = urls.first else { throw .configuration("--redis: name at least one server") }
        guard urls.allSatisfy({ $0.scheme == first.scheme && $0.masterName == first.masterName }) else {
            throw .configuration("--redis: all URLs must have the same scheme and master name")
        }
        var mode: Topology.Mode?
        switch configuration.topology {
        case .auto: mode = first.isSentinel ? .sentinel : nil
        case .standalone: mode = .standalone
        case .cluster: mode = .cluster
        case .sentinel: mode = .sentinel
        }
        guard (mode == .sentinel) == first.isSentinel else {
            throw .configuration("--topology sentinel and redis+sentinel:// URLs belong together")
        }
        var seeds = RedisSeeds(addresses: urls.map(\.address), mode: mode)
        if first.isSentinel { seeds.masterName = first.masterName }
        for rule in configuration.addressMap where !seeds.map.add(rule) {
            throw .configuration("--address-map: '\(rule)' is not FROM=TO (host:port=host:port, or host=host)")
        }
        seeds.useHostNames = first.usesTLS
        self.seeds = seeds
        database = first.database

        var credentials = urls.compactMap(\.credentials).first
        if let password = configuration.password {
            credentials = Credentials(user: credentials?.user, password: Secret(password))
        }
        var tls: TLSSettings?
        if first.usesTLS {
            do throws(RedisError) {
                tls = try TLSSettings(
                    authorityFile: configuration.tlsAuthorityFile, certificateFile: configuration.tlsCertificateFile,
                    keyFile: configuration.tlsKeyFile)
            } catch { throw .configuration(error.text) }
        } else if configuration.tlsAuthorityFile != nil || configuration.tlsCertificateFile != nil {
            throw .configuration("--tls-ca and --tls-cert need rediss:// URLs")
        }
        var settings = ConnectionSettings(
            clientName: "lapse:\(configuration.name):\(configuration.id):command", credentials: credentials, tls: tls)
        settings.connectTimeout = configuration.connectTimeout
        self.settings = settings
    }

    /// The Sentinels get the same credentials, but need not have any.
    package var sentinelSettings: ConnectionSettings {
        var settings = settings
        settings.mayBeOpen = true
        return settings
    }

    /// The settings for connections of one purpose: `feed`, `command` or `lock`.
    package func settings(for purpose: String, _ configuration: ProcessorConfiguration) -> ConnectionSettings {
        settings.named("lapse:\(configuration.name):\(configuration.id):\(purpose)")
    }
}

extension LapseError {
    package init(_ error: RedisError) {
        self = error.isPermanent ? .denied(error.description) : .unreachable(error.description)
    }
}
