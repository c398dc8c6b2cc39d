import Testing

@testable import Lapse

struct BatchTests {
    private func batch(_ count: Int) -> Batch { Batch(DeliveryList((1...count).map { .some("key\($0)", UInt64($0)) })) }

    /// None is counted again.
    private func count(_ batch: Batch, _ before: UInt64) -> UInt64 {
        let new = batch.count()
        #expect(new & before == 0)
        return new
    }

    @Test func eachIsBegunAndCountedOnce() {
        let batch = batch(64)
        var counted: UInt64 = 0
        while let index = batch.begin() {
            batch.finish(index)
            if index % 3 == 0 { counted |= count(batch, counted) }
        }
        counted |= count(batch, counted)
        #expect(counted == .max && batch.count() == 0)
        #expect(!batch.hasMore && batch.close().isEmpty)
    }

    @Test func whatIsClosedIsNeverBegun() {
        let batch = batch(10)
        for _ in 0..<4 { _ = batch.begin() }
        #expect(batch.close().map(\.ordinal) == [5, 6, 7, 8, 9, 10])
        #expect(batch.begin() == nil)
        #expect(batch.close().isEmpty)
    }

    @Test("many threads share a batch while one closes it: each of it is begun once or given back once")
    func sharedByThreads() async {
        for _ in 0..<200 {
            let batch = batch(64)
            let all = await withTaskGroup(of: [Int].self) { group in
                for lane in 0..<4 {
                    group.addTask {
                        let mine = (0..<20).compactMap { _ in batch.begin() }
                        return lane == 3 ? mine + batch.close().map { Int($0.ordinal) - 1 } : mine
                    }
                }
                return await group.reduce(into: []) { $0 += $1 }
            }
            #expect(all.sorted() == Array(0..<64))
        }
    }
}
