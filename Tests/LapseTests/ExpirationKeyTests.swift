import Testing

@testable import Lapse

struct ExpirationKeyTests {
    @Test func keepsEveryLengthByteForByte() {
        for count in 0...130 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 37 + 200) }
            let key = ExpirationKey(bytes: bytes)
            // Unsafe in name only: a byte has no padding.
            let copy = ExpirationKey(copying: unsafe bytes.span.bytes)
            #expect(key.bytes == bytes)
            #expect(copy.bytes == bytes)
            #expect(key == copy && key.hashValue == copy.hashValue)
            #expect(key != ExpirationKey(bytes: bytes + [0]), "a zero at the end is a byte")
        }
    }

    @Test func textIsOneView() {
        #expect(ExpirationKey("session:42").bytes == Array("session:42".utf8))
        #expect(ExpirationKey("session:42").string == "session:42")
        #expect(ExpirationKey(bytes: [0xFF]).string == nil)
    }
}
