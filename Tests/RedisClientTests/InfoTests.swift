import NIOCore
import RESP
import Testing

@testable import RedisClient

struct InfoTests {
    private let info = RESPValue.bulk(
        ByteBuffer(
            string:
                "# Stats\r\ntotal:1\r\nunexpired_keys:9\r\nexpired_keys:42\r\nexpired_keys_more:7\r\nempty:\r\nlast:x:y"
        ))

    @Test func findsAFieldByItsWholeName() {
        #expect(infoField("expired_keys", in: info) == "42")
        #expect(infoField("total", in: info) == "1")
        #expect(infoField("empty", in: info) == "")
        #expect(infoField("last", in: info) == "x:y")
        #expect(infoField("expired", in: info) == nil)
        #expect(infoField("# Stats", in: info) == nil)
    }

    @Test func agreesWithTheWholeTable() {
        for (name, value) in infoFields(info) { #expect(infoField(name, in: info) == value) }
    }

    @Test func findsNothingInOtherReplies() {
        #expect(infoField("total", in: .null) == nil)
        #expect(infoField("total", in: .integer(1)) == nil)
        #expect(infoField("total", in: .bulk(ByteBuffer())) == nil)
    }
}
