import LeaderElection
import NIOCore
package import RedisClient

/// The connections of one purpose each, read from a configuration: where to begin, and how to log in.
package struct Deployment: Sendable {
    package let seeds: RedisSeeds
    package let settings: ConnectionSettings
    package let sentinelSettings: ConnectionSettings
    package let database: Int?

    /// Throws ``LapseError`` when a URL or a TLS file cannot be used.
    package init(_ configuration: ProcessorConfiguration) throws(LapseError) {
        let words = configuration.words(
            clientName: "lapse:\(configuration.name):\(configuration.id):command")
        do throws(RedisDeployment.Malformed) {
            let deployment = try RedisDeployment(words)
            seeds = deployment.seeds
            settings = deployment.settings
            sentinelSettings = deployment.sentinelSettings
            database = deployment.database
        } catch { throw .configuration(error.property, error.text) }
    }

    /// The settings for connections of one purpose: `feed`, `command` or `lock`.
    package func settings(for purpose: String, _ configuration: ProcessorConfiguration) -> ConnectionSettings {
        settings.named("lapse:\(configuration.name):\(configuration.id):\(purpose)")
    }
}

extension ProcessorConfiguration {
    fileprivate func words(clientName: String) -> RedisDeployment.Input {
        var words = RedisDeployment.Input(urls: redis, clientName: clientName)
        switch topology {
        case .auto: words.mode = nil
        case .standalone: words.mode = .standalone
        case .cluster: words.mode = .cluster
        case .sentinel: words.mode = .sentinel
        }
        words.addressMap = addressMap
        words.password = password
        words.passwordFile = passwordFile
        words.sentinel = sentinel
        words.announced = announced
        words.tlsServerName = tlsServerName
        words.tls = tls
        words.connectTimeout = connectTimeout
        return words
    }
}

extension LapseError {
    package init(_ error: RedisError) {
        self = error.isPermanent ? .denied(error.description) : .unreachable(error.description)
    }
}
