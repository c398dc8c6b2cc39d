import ExpirationStream
import RESP
import Testing

@testable import Lapse

/// How many partitions a stream has, as it stands beside the stream.
@Suite struct StreamLayoutTests {
    @Test("lengths that cannot be true are no sum: two of them would end the process")
    func lengths() {
        #expect(StreamWriter.total([.integer(.max), .integer(.max)]) == nil)
        #expect(StreamWriter.total([.integer(3), .null]) == nil && StreamWriter.total([.integer(-1)]) == nil)
        #expect(StreamWriter.total([]) == 0 && StreamWriter.total([.integer(3), .integer(4)]) == 7)
        let most = Array(repeating: RESPValue.integer(Int64(PlausibleCount.limit) - 1), count: StreamKeys.limit)
        #expect(StreamWriter.total(most) != nil)
    }
}
