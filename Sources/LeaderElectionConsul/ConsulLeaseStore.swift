import AsyncHTTPClient
public import LeaderElection
public import Logging
public import NIOCore

/// The lease over Consul: a session with a TTL that holds the locks of two keys.
///
/// Source: "Application leader elections with sessions" (developer.hashicorp.com). Beyond it: a lock
/// delay no shorter than the lease, the second key, `ModifyIndex` as the token.
///
/// Consul's sessions last 10 s at least and are ended up to twice their TTL after the last renewal;
/// then the lock delay runs. So with a lease of 8 s a follower leads up to 28 s after a crash (some
/// seconds after a dead *host* is noticed by `serfHealth`, plus the delay), and in a round trip after a
/// graceful release.
public final class ConsulLeaseStore: LeaseStore {
    /// The one register: Consul's servers replicate it.
    public let registers: [any LeaseRegister]
    /// What Consul can do.
    public let capabilities: StoreCapabilities = [.fencing, .serverTime, .push, .linearizable]
    /// The keys' prefix.
    public let naming: String

    private let keys: ConsulKeys
    private let connection: AgentConnection
    private let group: any EventLoopGroup

    /// A store for the election `name`. It connects when it is first asked; close it with ``shutDown()``.
    ///
    /// - Parameters:
    ///   - configuration: where Consul is, and how the election is kept there.
    ///   - name: the election's name, the same as in the elector's configuration.
    ///   - eventLoopGroup: where requests run, renewals among them: nothing may ever block it. Nil for the
    ///     HTTP client's own.
    ///   - logger: where the store's lines go.
    /// - Throws: ``ConsulConfigurationError``: no agent, no prefix, or a lock delay that Consul cannot
    ///   keep.
    public init(
        configuration: ConsulConfiguration, name: String,
        eventLoopGroup: (any EventLoopGroup)? = nil, logger: Logger
    ) throws(ConsulConfigurationError) {
        guard !configuration.agents.isEmpty else {
            throw ConsulConfigurationError("no Consul agent is named: give at least one, as in consul://127.0.0.1:8500")
        }
        guard !configuration.prefix.isEmpty else {
            throw ConsulConfigurationError("the prefix of the keys in Consul is empty: give one, such as lapse")
        }
        if let delay = configuration.lockDelay, delay < .zero || delay > SessionTimes.longestDelay {
            throw ConsulConfigurationError("Consul's lock delay is from 0 to 60 s, not \(delay)")
        }
        if let delay = configuration.lockDelay {
            logger.info("the lock delay is set by hand: a lease must not be longer", metadata: ["delay": "\(delay)"])
        }
        keys = ConsulKeys(prefix: configuration.prefix, name: name)
        naming = "consul=\(configuration.prefix)"
        group = eventLoopGroup ?? HTTPClient.defaultEventLoopGroup
        connection = AgentConnection(configuration, on: group.any())
        registers = [ConsulLeaseRegister(keys: keys, configuration: configuration, connection: connection)]
    }

    /// Changes of the keys, pushed by blocking queries.
    public func wakeUps() -> AsyncStream<WakeUp> {
        let watch = ElectionWatch(keys: keys, connection: connection, eventLoop: group.next())
        return AsyncStream(unfolding: { await watch.next() })
    }

    /// Closes the connections, also in a task that is cancelled. Called once, after the elector's `run`
    /// returned.
    public func shutDown() async {
        await connection.shutDown()
    }
}
