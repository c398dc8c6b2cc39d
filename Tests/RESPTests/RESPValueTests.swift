import NIOCore
import Testing

@testable import RESP

@Suite struct RESPValueTests {
    @Test func readsNumbersAndText() {
        #expect(RESPValue.integer(5).int == 5)
        #expect(RESPValue.bulk(ByteBuffer(string: "-17")).int == -17)
        #expect(RESPValue.simple("12").int == 12)
        #expect(RESPValue.simple("twelve").int == nil)
        #expect(RESPValue.null.int == nil)
        #expect(RESPValue.simple("a").string == "a")
        #expect(RESPValue.bulk(ByteBuffer(string: "b")).string == "b")
        #expect(RESPValue.integer(5).string == nil)
        #expect(RESPValue.array([.null]).array == [.null])
        #expect(RESPValue.null.array == nil)
        #expect(RESPValue.bulk(ByteBuffer(bytes: [0, 255])).bytes == ByteBuffer(bytes: [0, 255]))
        #expect(RESPValue.error(RESPError("ERR x")).error?.code == "ERR")
        #expect(RESPValue.null.isNull && !RESPValue.array([]).isNull)
    }

    @Test func describesItselfShortly() {
        let long = RESPValue.bulk(ByteBuffer(string: String(repeating: "x", count: 10_000)))
        #expect(long.debugDescription.count < 60)
        #expect(long.debugDescription.hasSuffix("(10000 bytes)"))
        let many = RESPValue.array(Array(repeating: .integer(1), count: 1_000))
        #expect(many.debugDescription == "[1, 1, 1, 1, 1, 1, 1, 1, … 1000 elements]")
        #expect(RESPValue.array([.null, .simple("OK")]).debugDescription == "[null, OK]")
    }

    @Test(arguments: [
        ("MOVED 3999 127.0.0.1:6381", "MOVED"), ("NOAUTH Authentication required.", "NOAUTH"), ("ERR", "ERR"), ("", ""),
    ])
    func errorsHaveACode(text: String, code: String) {
        #expect(RESPError(text).code == code)
        #expect("\(RESPError(text))" == text)
    }

    /// A server where AUTH was renamed repeats the password in its error.
    @Test func errorsDoNotRepeatArguments() {
        let error = RESPError("ERR unknown command `AUTH`, with args beginning with: `hunter2`, ")
        #expect(error.text == "ERR unknown command `AUTH`")
        let decoded = decode("-ERR unknown command 'AUTH', with args beginning with: 'hunter2' \r\n")
        #expect(decoded.values == [.error(RESPError("ERR unknown command 'AUTH'"))])
    }
}
