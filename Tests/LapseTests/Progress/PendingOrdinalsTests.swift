import LeaderElection
import Testing

@testable import Lapse

struct PendingOrdinalsTests {
    @Test("one by one or in stretches, they are what a set would hold", arguments: 0..<30)
    func agreesWithASet(_ seed: UInt64) {
        var random = RandomSource.seeded(seed)
        var pending = PendingOrdinals()
        var model: Set<UInt64> = []
        for _ in 0..<500 {
            let first = UInt64.random(in: 1...600, using: &random)
            let stretch = first...first + .random(in: 0...150, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                pending.insert(first)
                model.insert(first)
            case 1:
                pending.insert(stretch)
                model.formUnion(stretch)
            case 2:
                pending.remove(first)
                model.remove(first)
            default:
                pending.remove(stretch)
                model.subtract(stretch)
            }
            #expect(pending.count == model.count && pending.min == model.min())
            #expect(pending.contains(first) == model.contains(first))
        }
        #expect(pending.sorted == model.sorted())
        #expect(pending == PendingOrdinals(model.sorted()))
    }
}
