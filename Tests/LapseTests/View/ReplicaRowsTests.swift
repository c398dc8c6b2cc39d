import Testing

@testable import Lapse

/// The page's table of replicas.
@Suite struct ReplicaRowsTests {
    @Test("a replica that was started again is one row while its former process still counts")
    func oneRowAReplica() {
        let words = [
            "a#1": ReplicaWord(version: "1", behind: 7), "a#2": ReplicaWord(version: "2", behind: 3),
            "b#1": ReplicaWord(version: "1", behind: 0),
        ]
        let rows = GroupView.Replica.rows(of: ["a#3", "b#1", "a#2", "a#1", "c"], words, leader: "a")
        #expect(rows.map(\.id) == ["a", "b", "c"])
        #expect(rows.map(\.leads) == [true, false, false])
        #expect(rows.map(\.behind) == [7, 0, nil] && rows.map(\.version) == ["1", "1", nil])
    }
}
