import Foundation
import Lapse
import LeaderElection
import Logging
import Testing

/// A handler is tested by its author with what the library's users see: no `@testable` here.
struct HandlerTestingTests {
    /// A handler as a user writes one.
    private actor Carts {
        struct StaleToken: Error {}
        private(set) var released: [String] = []
        private var largest = FencingToken(rawValue: 0)

        func release(_ expiration: Expiration, _ context: HandlerContext) throws {
            guard context.isLeading, context.fencingToken >= largest else { throw StaleToken() }
            largest = context.fencingToken
            released.append(expiration.key.description)
        }
    }

    @Test func aHandlerIsCalledWithWhatATestMakes() async throws {
        let carts = Carts()
        let expiration = Expiration(key: ExpirationKey("cart:42"))
        try await carts.release(expiration, .testing(expiration, token: FencingToken(rawValue: 7)))
        await #expect(throws: Carts.StaleToken.self, "an older leader's") {
            try await carts.release(expiration, .testing(expiration, token: FencingToken(rawValue: 6)))
        }
        await #expect(throws: Carts.StaleToken.self, "a lease that has run out") {
            try await carts.release(
                expiration, .testing(expiration, token: FencingToken(rawValue: 8), leadingFor: .zero))
        }
        #expect(await carts.released == ["cart:42"])
    }

    /// A transaction for each batch, idempotent by position, and only as far as this replica leads.
    private actor Ledger {
        private(set) var handled: Set<Position> = []

        func write(_ batch: ExpirationBatch, _ context: BatchContext) -> BatchResult {
            guard context.isLeading else {
                return BatchResult(handledUpTo: 0, of: batch.count, error: Carts.StaleToken())
            }
            var result = BatchResult()
            for (index, expiration) in batch.enumerated() {
                if expiration.key.bytes.isEmpty {
                    result.fail(index, Carts.StaleToken())
                } else {
                    handled.insert(expiration.position)
                }
            }
            return result
        }
    }

    @Test func aBatchHandlerIsCalledWithWhatATestMakes() async {
        let ledger = Ledger()
        let batch = ExpirationBatch(
            testing: ["a", "", "b"].enumerated().map { index, key in
                Expiration(key: ExpirationKey(key), position: Position(runID: "run", ordinal: UInt64(index + 1)))
            })
        let late = await ledger.write(batch, .testing(leadingFor: .zero))
        #expect(late.failures.keys.sorted() == [0, 1, 2])
        for _ in 0..<2 {
            let result = await ledger.write(batch, .testing(token: FencingToken(rawValue: 7), term: 3))
            #expect(result.failures.keys.sorted() == [1])
        }
        #expect(await ledger.handled.map(\.ordinal).sorted() == [1, 3])
        let handler: BatchHandler = { await ledger.write($0, $1) }
        _ = ExpirationProcessor.inBatches(configuration: .init(redis: ["redis://10.0.0.1:6379"]), handler: handler)
        #expect(batch.attempt(at: 0) == 1 && BatchResult.handled.failures.isEmpty)
    }

    @Test(arguments: ExpirationOrigin.allCases)
    func allThatAHandlerCanAskIsAsItWasMade(_ origin: ExpirationOrigin) {
        let time = Date(timeIntervalSince1970: 1_795_000_000.125)
        let position = Position(runID: "run", ordinal: 12)
        let expiration = Expiration(
            key: ExpirationKey(bytes: [0xff, 0]), database: 3, node: "10.0.0.1:6379", position: position,
            origin: origin, receivedAt: time, value: [1])
        #expect(expiration.key.bytes == [0xff, 0] && expiration.database == 3 && expiration.node == "10.0.0.1:6379")
        #expect(expiration.position == position && expiration.origin == origin && expiration.receivedAt == time)
        #expect(expiration.value == [1])
        let context = HandlerContext.testing(expiration, token: FencingToken(rawValue: 9), term: 4, attempt: 3)
        #expect(context.fencingToken.rawValue == 9 && context.term == 4 && context.attempt == 3 && context.isLeading)
        #expect(context.logger[metadataKey: "node"] == "10.0.0.1:6379")
    }
}
