import Endpoints
import RedisClient
import Testing

/// What an operator pastes into a shell.
@Suite struct RedisCommandLineTests {
    private static let node = NodeAddress(host: "10.0.0.1", port: 7000)

    private static var login: RedisLogin {
        var settings = ConnectionSettings(clientName: "test")
        settings.credentials = Credentials(user: "svc", password: Secret("hunter2"))
        return RedisLogin(settings, TLSFiles(authority: "/etc/my ca.pem"))
    }

    @Test func itLogsInWithoutThePassword() {
        let line = RedisCommandLine(Self.node, Self.login, ["CONFIG", "SET", "notify-keyspace-events", "K$Ex"]).text
        #expect(line == "redis-cli --user svc -h 10.0.0.1 -p 7000 CONFIG SET notify-keyspace-events 'K$Ex'")
    }

    /// Files alone encrypt nothing.
    @Test func filesComeWithTLS() {
        var login = Self.login
        login.usesTLS = true
        let line = RedisCommandLine(cluster: ["fix", "\(Self.node)"], login).text
        #expect(line == "redis-cli --user svc --tls --cacert '/etc/my ca.pem' --cluster fix 10.0.0.1:7000")
    }

    @Test func withoutALoginItIsShort() {
        #expect(RedisCommandLine(Self.node, RedisLogin(), ["PING"]).text == "redis-cli -h 10.0.0.1 -p 7000 PING")
    }
}
