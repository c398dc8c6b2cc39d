import NIOCore
import RESP
import Testing

@testable import RedisClient

/// Row 67: what runs on the servers, by their own word.
struct DeploymentKindTests {
    private func bulk(_ text: String) -> RESPValue { .bulk(ByteBuffer(string: text)) }
    private func node(_ port: Int) -> NodeAddress { NodeAddress(host: "10.0.0.1", port: port) }

    @Test(arguments: [
        ("redis_mode:standalone", "cluster_enabled:0", Topology.Mode.standalone),
        ("redis_mode:cluster", "cluster_enabled:1", .cluster),
        ("server_mode:cluster", "cluster_enabled:1", .cluster),
        ("server_mode:standalone", "cluster_enabled:0", .standalone),
        // A setting for old clients says one thing, the server does another.
        ("redis_mode:standalone", "cluster_enabled:1", .cluster),
        ("redis_mode:sentinel", "", .sentinel), ("server_mode:sentinel", "", .sentinel),
        ("redis_mode:cluster", "", .cluster),
    ])
    func everyServerHasItsWord(_ server: String, _ cluster: String, _ mode: Topology.Mode) {
        let found = DeploymentKind.read(
            server: bulk("# Server\r\n\(server)\r\n"), cluster: bulk("# Cluster\r\n\(cluster)\r\n"))
        #expect(found == mode)
    }

    @Test func aServerWithoutAWordIsAnError() {
        let answers = [(node: node(1), replies: [bulk("# Server\r\n"), bulk("")])]
        let error = #expect(throws: RedisError.self) { try DeploymentKind.agreed(answers) }
        #expect(error?.kind == .protocolViolation && error?.text.contains("--topology") == true)
    }

    @Test func serversOfTwoKindsAreNotOneDeployment() {
        let answers = [
            (node: node(1), replies: [bulk("redis_mode:cluster\r\n"), bulk("cluster_enabled:1\r\n")]),
            (node: node(2), replies: [bulk("redis_mode:standalone\r\n"), bulk("cluster_enabled:0\r\n")]),
        ]
        let error = #expect(throws: RedisError.self) { try DeploymentKind.agreed(answers) }
        #expect(error?.text.contains("10.0.0.1:1") == true && error?.node == node(2))
    }
}
