public import Endpoints
import LeaderElection
package import RedisClient

/// Where Redis is and how to get in, for an election of its own over Redis; see ``RedisElectionStore``.
public struct RedisElectionConfiguration: Sendable {
    /// `redis://`, `rediss://` or `redis+sentinel://` URLs, at least one; more help when that one is down.
    public var redis: [String]
    /// The password, if it is not in the URL.
    public var password: String?
    /// Path of a file that holds the password and nothing else. It is read again for a connection that is
    /// made after it has changed, and counts before ``password``.
    public var passwordFile: String?
    /// Credentials of the Sentinels themselves.
    package var sentinel = SentinelAccess()
    /// Which of the addresses that a node announces is connected to.
    package var announced = AnnouncedAddress.auto
    /// The name that every server's certificate must bear; nil for the host that is connected to.
    public var tlsServerName: String?
    /// Whom to trust and which certificate to show, where the URLs are `rediss://`.
    public var tls = TLSFiles()
    /// `HOST:PORT=HOST:PORT` or `HOST=HOST`, for nodes announced behind NAT.
    public var addressMap: [String] = []
    /// The longest wait for one connection.
    public var connectTimeout: Duration = .seconds(2)
    /// Lock keys, an odd number from 1 to 15; nil for 3 in a cluster, else 1.
    public var registers: Int?
    /// URLs of independent servers that vote on the lease, for a classic Redlock: an odd number; empty for
    /// lock keys in ``redis``.
    public var lockServers: [String] = []

    /// Servers to begin with; the rest has defaults. Nothing is checked before
    /// ``RedisElectionStore/connect(_:election:logger:)``.
    public init(redis: [String] = ["redis://127.0.0.1:6379"]) {
        self.redis = redis
    }

    func deployment(clientName: String) throws(ElectionError) -> RedisDeployment {
        var words = RedisDeployment.Input(urls: redis, clientName: clientName)
        words.addressMap = addressMap
        words.password = password
        words.passwordFile = passwordFile
        words.sentinel = sentinel
        words.announced = announced
        words.tlsServerName = tlsServerName
        words.tls = tls
        words.connectTimeout = connectTimeout
        do throws(RedisDeployment.Malformed) { return try RedisDeployment(words) } catch {
            throw .configuration(error.property, error.text)
        }
    }
}
