import LeaderElection
import Testing

@testable import Lapse

struct DeadlineTableTests {
    private static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    private static func add(_ key: String, to table: inout DeadlineTable) throws -> Int {
        let place = table.place(of: bytes(key))?.place
        return try #require(place)
    }

    @Test(
        "what is found, and where, against a dictionary; keys of all lengths come and go",
        arguments: 0..<10 as Range<UInt64>)
    func agreesWithADictionary(seed: UInt64) {
        var random = RandomSource.seeded(seed)
        var table = DeadlineTable(limit: 64 << 20, now: 0)
        var model: [[UInt8]: Int64] = [:]
        for _ in 0..<5_000 {
            let number = Int.random(in: 0..<400, using: &random)
            let key = Self.bytes("\(number)" + String(repeating: "x", count: number * 7 % 1_000))
            if Bool.random(using: &random) {
                let deadline = Int64.random(in: 1..<1_000_000, using: &random)
                guard let (place, isNew) = table.place(of: key) else {
                    Issue.record("no room")
                    return
                }
                #expect(isNew == (model[key] == nil))
                _ = table.set(deadline, of: place)
                model[key] = deadline
            } else if let place = table.find(key) {
                #expect(table[place].deadline == model[key])
                #expect(table.key(place) == key)
                table.remove(place)
                model[key] = nil
            } else {
                #expect(model[key] == nil)
            }
            #expect(table.count == model.count)
        }
        #expect(Set(table.places.map { table.key($0) }) == Set(model.keys))
    }

    @Test("the bound holds, and the nearest deadlines are those that are kept")
    func theFurthestGivesWay() {
        var table = DeadlineTable(limit: 1 << 20, now: 0)
        var gaveWay = 0
        // The far ones first.
        for number in (0..<40_000).reversed() {
            guard let (place, _) = table.place(of: Self.bytes("key:\(number)")) else { continue }
            gaveWay += table.set(Int64(number + 1) * 1_000, of: place).count
            #expect(table.bytes <= 1 << 20)
        }
        #expect(gaveWay > 20_000)
        for number in 0..<8_000 { #expect(table.find(Self.bytes("key:\(number)")) != nil, "\(number)") }
    }

    @Test("a place that is free is not freed again")
    func freeOnce() throws {
        var table = DeadlineTable(limit: 1 << 20, now: 0)
        let place = try Self.add("one", to: &table)
        table.remove(place)
        table.remove(place)
        #expect(table.count == 0)
        let (two, three) = (try Self.add("two", to: &table), try Self.add("three", to: &table))
        #expect(two != three)
    }

    @Test("the bound holds, and the nearest are kept, while those furthest ahead are being asked about")
    func theFurthestIsPinned() throws {
        var table = DeadlineTable(limit: 1 << 20, now: 0)
        for number in 0..<3 {
            let place = try Self.add("renewed:\(number)", to: &table)
            _ = table.set(1_000_000_000 + Int64(number), of: place)
            table[place].state.insert(.trailing)
        }
        for number in (0..<40_000).reversed() {
            guard let (place, _) = table.place(of: Self.bytes("key:\(number)")) else { continue }
            _ = table.set(Int64(number + 1) * 1_000, of: place)
            #expect(table.bytes <= 1 << 20)
        }
        for number in 0..<8_000 { #expect(table.find(Self.bytes("key:\(number)")) != nil, "\(number)") }
        for number in 0..<3 { #expect(table.find(Self.bytes("renewed:\(number)")) != nil) }
    }

    @Test("what a flood of long keys has taken serves short ones afterwards")
    func afterAFlood() throws {
        var table = DeadlineTable(limit: 1 << 20, now: 0)
        let kept = try Self.add("kept", to: &table)
        _ = table.set(5, of: kept)
        var flood: [Int] = []
        for number in 0..<2_000 {
            let key = Self.bytes("\(number):" + String(repeating: "x", count: 1_000))
            if let (place, _) = table.place(of: key) { flood.append(place) }
        }
        #expect(flood.count > 500)
        for place in flood { table.remove(place) }
        for number in 0..<5_000 { _ = try Self.add("short:\(number)", to: &table) }
        #expect(table.key(kept) == Self.bytes("kept"))
        #expect(table.find(Self.bytes("kept")) == kept)
        #expect(table.find(Self.bytes("short:4999")).map { table.key($0) } == Self.bytes("short:4999"))
    }

    @Test("at most 48 bytes and the key for a deadline, everything included")
    func takesLittle() {
        #expect(DeadlineTable.bytesAnEntry <= 48)
    }

    @Test("keys whose deadline is not known yet are few beyond the bound: forged hints fill nothing")
    func forgedKeys() {
        var table = DeadlineTable(limit: 1 << 20, now: 0)
        for number in 0..<100_000 {
            _ = table.place(of: Self.bytes("forged:\(number):" + String(repeating: "x", count: 900)))
        }
        #expect(table.count <= DeadlineTable.slack)
        let isTaken = table.place(of: [UInt8](repeating: 1, count: KeyArena.longestKey + 1)) != nil
        #expect(!isTaken)
    }
}
