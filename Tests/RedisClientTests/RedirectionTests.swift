import RESP
import Testing

@testable import RedisClient

struct RedirectionTests {
    static let replies: [(String, Redirection)] = [
        ("MOVED 3999 10.0.0.1:6381", .moved(to: NodeAddress(host: "10.0.0.1", port: 6381))),
        ("MOVED 3999 ::1:6381", .moved(to: NodeAddress(host: "::1", port: 6381))),
        ("MOVED 3999 redis-1.svc:6381", .moved(to: NodeAddress(host: "redis-1.svc", port: 6381))),
        ("MOVED 3999 :6381", .moved(to: NodeAddress(host: "", port: 6381))),
        ("MOVED 3999", .moved(to: nil)),
        ("ASK 3999 10.0.0.1:6381", .ask(NodeAddress(host: "10.0.0.1", port: 6381))),
        ("TRYAGAIN Multiple keys request during rehashing of slot", .retry),
        ("CLUSTERDOWN Hash slot not served", .retry),
        ("CLUSTERDOWN The cluster is down", .retry),
        ("LOADING Redis is loading the dataset in memory", .retry),
        ("READONLY You can't write against a read only replica.", .retry),
        ("MASTERDOWN Link with MASTER is down", .retry),
        ("BUSY Redis is busy running a script.", .retry),
        ("NOREPLICAS Not enough good replicas to write.", .retry),
        ("NOSCRIPT No matching script. Please use EVAL.", .sendScript),
        ("ERR unknown command", .none),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", .none),
        ("", .none),
        ("MOVEDX 1 a:1", .none),
    ]

    @Test(arguments: replies)
    func tells(_ text: String, _ expected: Redirection) {
        #expect(Redirection(RESPError(text)) == expected)
    }
}
