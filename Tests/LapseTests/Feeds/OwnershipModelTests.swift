import Testing

@testable import Lapse
@testable import RedisClient

/// The short memory of ``SlotOwnership`` against one that keeps every look.
struct OwnershipModelTests {
    private static let addresses = (1...3).map { NodeAddress(host: "10.0.0.\($0)", port: 6379) }
    private static let polls = Self.addresses.map { master in
        TopologyPoll(
            topology: Topology(
                mode: .sentinel,
                nodes: addresses.map {
                    Topology.Node(id: "\($0)", address: $0, role: $0 == master ? .master : .replica)
                }),
            ownWord: [:])
    }

    /// The owner that each look showed; most looks show what the one before did.
    private static func looks<Randoms: RandomNumberGenerator>(using random: inout Randoms) -> [Int] {
        var looks: [Int] = []
        for _ in 0..<40 {
            looks.append(
                looks.last.flatMap { Int.random(in: 0..<4, using: &random) > 0 ? $0 : nil }
                    ?? .random(in: 0..<3, using: &random))
        }
        return looks
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func nothingThatMattersIsForgotten(seed: UInt64) {
        var random = Seeded(state: seed)
        let looks = Self.looks(using: &random)
        var ownership = SlotOwnership()
        for (number, owner) in looks.enumerated() {
            var poll = Self.polls[owner]
            poll.number = number
            ownership.note(poll)
        }
        for node in 0..<3 {
            let seen = ownership.seen(from: Self.addresses[node])
            for since in 0...looks.count {
                // It owned the slot at a look, and no look that began before `since` had shown that it lost it.
                let counts = looks.indices.contains { look in
                    looks[look] == node && (looks[look...].firstIndex { $0 != node } ?? .max) >= since
                }
                let verdict = seen.verdict(slot: 0, .trusted(since: since, look: since))
                #expect((verdict == .counts) == counts, "\(looks) \(node) \(since)")
            }
        }
    }
}

private struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ (state >> 29)
    }
}
