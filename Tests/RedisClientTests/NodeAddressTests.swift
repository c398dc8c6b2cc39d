import Testing

@testable import RedisClient

struct NodeAddressTests {
    @Test(arguments: [
        ("10.0.0.1:6379", "10.0.0.1", 6379), ("[::1]:6379", "::1", 6379), ("::1:6379", "::1", 6379),
        ("fd00::2:65535", "fd00::2", 65535), ("redis-0.svc:1", "redis-0.svc", 1), (":6379", "", 6379),
    ])
    func reads(_ text: String, _ host: String, _ port: Int) throws {
        #expect(try #require(NodeAddress(text)) == NodeAddress(host: host, port: port))
    }

    @Test(arguments: ["", "db", "db:", "db:x", "db:0", "db:65536", "db:-1", "[::1]"])
    func refuses(_ text: String) { #expect(NodeAddress(text) == nil) }

    @Test func printsWhatItReads() {
        for text in ["10.0.0.1:6379", "[::1]:6379", "db:1"] { #expect(NodeAddress(text)?.description == text) }
    }

    @Test func sortsByHostThenPort() {
        let sorted = [
            NodeAddress(host: "a", port: 2), NodeAddress(host: "a", port: 10), NodeAddress(host: "b", port: 1),
        ]
        #expect(sorted.reversed().sorted() == sorted)
    }
}

struct AddressMapTests {
    private func map(_ rules: String...) throws -> AddressMap {
        var map = AddressMap()
        for rule in rules {
            let isRead = map.add(rule)
            try #require(isRead, "\(rule)")
        }
        return map
    }

    @Test func anAddressBecomesAnother() throws {
        let map = try map("10.0.0.1:6379=127.0.0.1:7001", "10.0.0.2:6379=[::1]:7002")
        #expect(map(NodeAddress(host: "10.0.0.1", port: 6379)).description == "127.0.0.1:7001")
        #expect(map(NodeAddress(host: "10.0.0.2", port: 6379)).description == "[::1]:7002")
        #expect(map(NodeAddress(host: "10.0.0.1", port: 6380)).description == "10.0.0.1:6380")
    }

    @Test func aHostKeepsItsPorts() throws {
        let map = try map("redis.internal=localhost", "10.0.0.1:1=10.0.0.9:9", "10.0.0.1=10.0.0.2")
        #expect(map(NodeAddress(host: "redis.internal", port: 7)).description == "localhost:7")
        #expect(map(NodeAddress(host: "10.0.0.1", port: 1)).description == "10.0.0.9:9", "the closer rule wins")
        #expect(map(NodeAddress(host: "10.0.0.1", port: 2)).description == "10.0.0.2:2")
    }

    @Test func anIPv6HostStandsInBrackets() throws {
        let map = try map("[fd00::1]=[::1]", "[fd00::2]=localhost", "db=[::1]")
        #expect(map(NodeAddress(host: "fd00::1", port: 7)).description == "[::1]:7")
        #expect(map(NodeAddress(host: "fd00::2", port: 7)).description == "localhost:7")
        #expect(map(NodeAddress(host: "db", port: 7)).description == "[::1]:7")
    }

    @Test(arguments: ["", "=", "a", "a=", "=b", "a:1=b", "a=b:1"])
    func refuses(_ rule: String) {
        var map = AddressMap()
        let isRead = map.add(rule)
        #expect(!isRead)
        #expect(map == AddressMap())
    }
}
