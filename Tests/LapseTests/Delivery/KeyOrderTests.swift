import LeaderElection
import Testing

@testable import Lapse

struct KeyOrderTests {
    @Test(arguments: 0..<20)
    func agreesWithADictionary(_ seed: UInt64) {
        var random = RandomSource.seeded(seed)
        var lines = KeyOrder()
        var model: [String: [UInt64]] = [:]
        var ordinal: UInt64 = 0
        for _ in 0..<3_000 {
            let key = "key\(Int.random(in: 0..<300, using: &random))"
            if Bool.random(using: &random) {
                ordinal += 1
                let delivery = Delivery.some(key, ordinal)
                let isFirst = lines.enter(delivery.keyHash)
                #expect(isFirst == (model[key] == nil))
                if !isFirst { _ = lines.wait(delivery, room: .max) }
                model[key, default: []].append(ordinal)
            } else if model[key] != nil {
                model[key]?.removeFirst()
                if model[key]?.isEmpty == true { model[key] = nil }
                #expect(lines.leave(Delivery.some(key, 0).keyHash)?.ordinal == model[key]?.first)
            }
            #expect(lines.contains(Delivery.some(key, 0).keyHash) == (model[key] != nil))
            #expect(lines.isAnyAwaited == model.values.contains { $0.count > 1 })
        }
        for number in 0..<300 {
            #expect(lines.contains(Delivery.some("key\(number)", 0).keyHash) == (model["key\(number)"] != nil))
        }
    }

    @Test func theDatabaseAndTheLengthCount() {
        let lines = [
            Delivery.some("", 1), .some("\0", 1), .some("\0\0", 1), .some("a", 1), .some("a\0", 1),
            .some("a", 1, database: 1),
        ].map(\.keyHash)
        #expect(Set(lines).count == lines.count)
    }
}
