import LeaderElection
import Testing

@testable import Lapse

struct KeyLinesTests {
    @Test(arguments: 0..<20)
    func agreesWithADictionary(_ seed: UInt64) {
        var random = RandomSource.seeded(seed)
        var lines = KeyLines()
        var model: [String: [UInt64]] = [:]
        var ordinal: UInt64 = 0
        for _ in 0..<3_000 {
            let key = "key\(Int.random(in: 0..<300, using: &random))"
            if Bool.random(using: &random) {
                ordinal += 1
                let work = Work.some(key, ordinal)
                let isFirst = lines.enter(work.line)
                #expect(isFirst == (model[key] == nil))
                if !isFirst { _ = lines.wait(work, room: .max) }
                model[key, default: []].append(ordinal)
            } else if model[key] != nil {
                model[key]?.removeFirst()
                if model[key]?.isEmpty == true { model[key] = nil }
                #expect(lines.leave(Work.some(key, 0).line)?.ordinal == model[key]?.first)
            }
            #expect(lines.contains(Work.some(key, 0).line) == (model[key] != nil))
            #expect(lines.isAnyAwaited == model.values.contains { $0.count > 1 })
        }
        for number in 0..<300 {
            #expect(lines.contains(Work.some("key\(number)", 0).line) == (model["key\(number)"] != nil))
        }
    }

    @Test func theDatabaseAndTheLengthCount() {
        let lines = [
            Work.some("", 1), .some("\0", 1), .some("\0\0", 1), .some("a", 1), .some("a\0", 1),
            .some("a", 1, database: 1),
        ].map(\.line)
        #expect(Set(lines).count == lines.count)
    }
}
