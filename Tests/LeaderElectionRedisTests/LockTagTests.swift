import LeaderElection
import LeaderElectionRedis
import RESP
import Testing

/// Every replica of every version must ask the same keys.
struct LockTagTests {
    @Test func tagsNeverChange() {
        #expect(LockTags.tags(1) == ["lapse-12095"])
        #expect(LockTags.tags(3) == ["lapse-6379", "lapse-12095", "lapse-10133"])
        #expect(LockTags.tags(5) == ["lapse-2547", "lapse-300", "lapse-12095", "lapse-1350", "lapse-6584"])
    }

    @Test(arguments: [1, 3, 5, 7, 9, 15])
    func eachLiesInAPartOfItsOwn(_ count: Int) {
        let tags = LockTags.tags(count)
        #expect(tags.count == count)
        #expect(tags.map { Int(HashSlot.of($0)) * count / 16384 } == Array(0..<count))
        for tag in tags { #expect(tag.wholeMatch(of: /lapse-[0-9]+/) != nil) }
    }

    @Test func allKeysOfARegisterShareItsSlot() {
        for keys in ElectionKeys.registers(3, name: "sessions") {
            let all = [keys.lock, keys.token, keys.progress, keys.members]
            #expect(Set(all.map { HashSlot.of($0) }) == [HashSlot.of(keys.tag)])
            #expect(keys.lock == "{\(keys.tag)}:sessions:lock")
            #expect(Set(all).count == 4)
        }
        #expect(ElectionKeys.channel("sessions") == "lapse:sessions")
    }
}
