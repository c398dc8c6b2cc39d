import NIOCore
import RESP
import RedisClient
import Testing

/// Numbers that came over a socket, as bytes.
struct StreamIDTests {
    @Test(arguments: ["0-0", "1700000000000-12", "18446744073709551615-18446744073709551615"])
    func bytesAndTextSayTheSame(_ text: String) {
        #expect(StreamID(ByteBuffer(string: text)) == StreamID(text))
        #expect(StreamID(ByteBuffer(string: text))?.description == text)
    }

    @Test(
        arguments: [
            "", "-", "1-", "-1", "1", "1-2-3", "+1-2", "1-+2", "18446744073709551616-0", "0-99999999999999999999",
            "x-1",
        ])
    func whatIsNoID(_ text: String) {
        #expect(StreamID(ByteBuffer(string: text)) == nil)
        #expect(StreamID(text) == nil)
    }

    @Test(arguments: [
        "0", "7", "9007199254740991", "9007199254740992", "007", "", "+1", "-1", "1 ", "99999999999999999999",
    ])
    func countsAsBytes(_ text: String) {
        #expect(PlausibleCount.read(ByteBuffer(string: text)) == PlausibleCount.read(text))
    }
}
