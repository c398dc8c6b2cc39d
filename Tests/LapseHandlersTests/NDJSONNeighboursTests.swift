import Testing

@testable import Lapse
@testable import LapseHandlers

@Suite struct NDJSONNeighboursTests {
    /// Expirations beside each other in one log, from an ordinal on.
    private func neighbours(_ keys: [String], from ordinal: UInt64) -> [Expiration] {
        let origin = LogChunk.Origin(
            database: 0, number: ordinal, isNumbered: true, now: 1_767_323_045_000, provenance: .vouched)
        var chunk = LogChunk(for: origin)
        let bytes = keys.flatMap { Array($0.utf8) }
        // Unsafe in name only: a byte has no padding.
        let taken = unsafe chunk.take(bytes.span.bytes, from: 0, keys.indices, within: bytes.count, origin) {
            keys[$0].utf8.count
        }
        #expect(taken == keys.count)
        let slice = LogSlice(chunk, of: NodeProcess(runID: "run", node: "127.0.0.1:6379"), since: 0)
        return keys.indices.map { Expiration(slice, $0) }
    }

    private func text(_ expirations: [Expiration]) -> String {
        var format = NDJSONFormat(replica: "a", term: 5, token: 6, handledAt: 1_767_323_045_680)
        return String(decoding: format.lines(ExpirationBatch(testing: expirations)).bytes, as: UTF8.self)
    }

    @Test("lines that are copies of the one before are those of each alone: other lengths, digits, keys to escape")
    func copies() {
        let keys = (0..<240).map { number in
            switch number % 7 {
            case 5: "cart:\(number)"
            case 6: "a \"key\" \(number)"
            default: "user:\(number)"
            }
        }
        // Over the ends of 99 and 199, with another number of digits behind the first.
        let expirations = neighbours(keys, from: 7)
        #expect(text(expirations) == expirations.map { text([$0]) }.joined())
        #expect(expirations[1].isBeside(expirations[0]), "else no line is a copy")
    }
}
