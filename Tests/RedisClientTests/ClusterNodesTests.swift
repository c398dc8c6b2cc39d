import Testing

@testable import RedisClient

struct ClusterNodesTests {
    private let asked = NodeAddress(host: "10.0.0.9", port: 6379)
    private let a = String(repeating: "a", count: 40)
    private let b = String(repeating: "b", count: 40)
    private let c = String(repeating: "c", count: 40)

    private func lines(_ text: String) -> [ClusterNodes.Line] { ClusterNodes(text, asked: asked).lines }

    @Test func readsWhat70Says() throws {
        let nodes = ClusterNodes(
            """
            \(a) 127.0.0.1:30001@40001 myself,master - 0 1700000000000 1 connected 0-5460
            \(b) 127.0.0.1:30004@40004 slave \(a) 0 1700000000123 1 connected
            \(c) 127.0.0.1:30002@40002 master - 0 1700000000456 2 connected 5461-10922 16000

            """, asked: asked)
        #expect(nodes.lines.map(\.node.id) == [a, b, c])
        #expect(nodes.lines.map(\.node.address.port) == [30001, 30004, 30002])
        #expect(nodes.lines.map(\.node.role) == [.master, .replica, .master])
        #expect(nodes.lines.map(\.node.masterID) == [nil, a, nil])
        #expect(nodes.lines.map(\.node.configEpoch) == [1, 1, 2])
        #expect(nodes.lines.map(\.slots) == [[0...5460], [], [5461...10922, 16000...16000]])
        #expect(nodes.lines.map(\.isMyself) == [true, false, false])
        #expect(nodes.lines.allSatisfy { !$0.node.isFailing && $0.hostName == nil })
        #expect(try #require(nodes.myself).id == a)
    }

    @Test func readsHostNamesAndTheFieldsOf74() {
        let lines = lines(
            """
            \(a) 10.0.0.1:6379@16379,redis-0.redis.svc myself,master - 0 0 1 connected 0-100
            \(b) 10.0.0.2:6379@16379,,tls-port=0,shard-id=69bc080733d1355567173199cff4a6a039a2f024 master - 0 0 2 connected
            \(c) 10.0.0.3:6379@16379,redis-2,tls-port=0,shard-id=69bc master - 0 0 3 connected 101-200
            \(c) 10.0.0.4:6379@16379,? master - 0 0 3 connected
            """)
        #expect(lines.map(\.hostName) == ["redis-0.redis.svc", nil, "redis-2", nil])
        #expect(lines.map(\.node.address.host) == ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"])
    }

    @Test func passesOverNodesWithoutAnAddress() {
        let lines = lines(
            """
            \(a) :0@0 slave,fail,noaddr \(b) 1 1 3 disconnected
            \(b) 10.0.0.1:6379@16379 handshake - 0 0 0 connected
            \(c) 10.0.0.2:6379@16379 master,fail? - 0 0 3 connected 0-1
            \(c) 10.0.0.3:6379@16379 master,fail - 0 0 3 disconnected 2-3
            """)
        #expect(lines.map(\.node.address.host) == ["10.0.0.2", "10.0.0.3"])
        #expect(lines.allSatisfy { $0.node.isFailing })
    }

    @Test func readsIPv6AndNodesThatAnnounceNoHost() {
        let lines = lines(
            """
            \(a) ::1:30001@40001 myself,master - 0 0 1 connected 0-100
            \(b) :6379@16379 master - 0 0 2 connected
            """)
        #expect(lines.map(\.node.address.description) == ["[::1]:30001", "10.0.0.9:6379"])
    }

    @Test func slotsOnTheMoveStayWhereTheyAre() {
        let lines = lines(
            """
            \(a) 10.0.0.1:6379@16379 myself,master - 0 0 1 connected 0-10 [7->-\(b)] [93-<-\(b)] [12-<-\(c)]
            """)
        #expect(lines.map(\.slots) == [[0...10]])
        #expect(lines.map(\.node.importing) == [[93, 12]], "only what it takes in")
    }

    @Test(arguments: [
        "", "nonsense", "a b c", "x 10.0.0.1@1 master - 0 0 1 connected", "x 10.0.0.1:y@1 master - 0 0 1 connected",
    ])
    func passesOverWhatMakesNoSense(_ text: String) { #expect(lines(text).isEmpty) }

    @Test func impossibleSlotsAreNotTaken() {
        let lines = lines("\(a) 10.0.0.1:6379@16379 master - 0 0 1 connected 5-3 16384 0-16384 x 4")
        #expect(lines.map(\.slots) == [[4...4]])
    }
}
