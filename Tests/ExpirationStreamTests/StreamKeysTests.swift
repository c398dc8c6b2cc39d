import ExpirationStream
import RESP
import Testing

@Suite struct StreamKeysTests {
    private func owns(_ keys: StreamKeys, _ name: String) -> Bool {
        // Unsafe in name only: a byte has no padding.
        keys.owns(unsafe Array(name.utf8).span.bytes)
    }

    @Test(arguments: ["expirations", "{tenant}:expirations"]) func onePartitionIsTheKeyItself(key: String) throws {
        let keys = try StreamKeys(key)
        #expect(keys.partitions == [key])
        for beside in [keys.layout, keys.writer(of: 0), keys.cursor(of: 0, runID: "ab12")] {
            #expect(HashSlot.of(beside) == HashSlot.of(key), "\(beside)")
            #expect(owns(keys, beside), "\(beside)")
        }
        #expect(!owns(keys, key + "x"))
    }

    @Test(arguments: [2, 3, 7, 64, 256]) func partitionsAreSpreadOverTheSlots(count: Int) throws {
        let keys = try StreamKeys("expirations", partitions: count)
        #expect(Set(keys.partitions).count == count)
        for (index, partition) in keys.partitions.enumerated() {
            let slot = Int(HashSlot.of(partition))
            #expect((index * 16384 / count..<(index + 1) * 16384 / count).contains(slot))
            #expect(HashSlot.of(keys.writer(of: index)) == HashSlot.of(partition))
            #expect(HashSlot.of(keys.cursor(of: index, runID: "ab12")) == HashSlot.of(partition))
            #expect(owns(keys, partition) && owns(keys, keys.writer(of: index)))
        }
        #expect(keys.layout == "{expirations}:lapse:layout")
    }

    /// Readers of other builds and languages compute the same: these come from another implementation of
    /// CRC16.
    @Test func namesAreFixed() throws {
        #expect(
            try StreamKeys("s", partitions: 3).partitions == ["s:{p0-0}", "s:{p1-1}", "s:{p2-0}"])
    }

    @Test(arguments: [("", 1), ("a{b", 1), ("a}b", 1), ("a{}b", 1), ("{a}", 2), ("a", 0), ("a", 257)])
    func refusesWhatCannotWork(key: String, count: Int) {
        #expect(throws: StreamKeys.Unusable.self) { try StreamKeys(key, partitions: count) }
    }

    @Test func aKeyKeepsItsPartition() {
        var counts = [0, 0, 0, 0]
        for number in 0..<4000 {
            let key = Array("session:\(number)".utf8)
            let partition = KeyDigest(database: 0, key: key).partition(of: 4)
            #expect(partition == KeyDigest(database: 0, key: key).partition(of: 4))
            counts[partition] += 1
        }
        #expect(counts.allSatisfy { (800...1200).contains($0) }, "\(counts)")
        #expect(KeyDigest(database: 0, key: [1]) != KeyDigest(database: 1, key: [1]))
        #expect(KeyDigest(database: 0, key: []).partition(of: 1) == 0)
    }
}
