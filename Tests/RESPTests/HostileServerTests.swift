import NIOCore
import Testing

@testable import RESP

@Suite struct HostileServerTests {
    struct Refusal: Sendable, CustomTestStringConvertible {
        let wire: String
        let reason: String

        init(_ wire: String, _ reason: String) {
            self.wire = wire
            self.reason = reason
        }

        var testDescription: String { "\(wire.utf8.count) bytes, \(wire.prefix(24).debugDescription)" }
    }

    static let refused: [Refusal] = [
        Refusal("hello\r\n", #"got "h" as reply type byte"#),
        Refusal("HTTP/1.1 400 Bad Request\r\n", "is this an HTTP server?"),
        Refusal("\u{15}\u{3}\u{1}\u{0}\u{2}\u{2}\u{50}", "answers in TLS"),
        Refusal("\r\n", "as reply type byte"),
        Refusal(":\r\n", "Bad integer value"),
        Refusal(":1x\r\n", "Bad integer value"),
        Refusal(":9223372036854775808\r\n", "Bad integer value"),
        Refusal("$abc\r\n", "Bad bulk string length"),
        Refusal("$-2\r\n", "Bulk string length out of range"),
        Refusal("$\r\n", "Bad bulk string length"),
        Refusal("*x\r\n", "Bad multi-bulk length"),
        Refusal("*-2\r\n", "Multi-bulk length out of range"),
        Refusal("$3\r\nabcde\r\n", "does not end where its length says"),
        Refusal("$536870913\r\n", "a bulk string of 536870913 bytes"),
        Refusal("$99999999999\r\n", "a bulk string of 99999999999 bytes"),
        Refusal("$9223372036854775807\r\n", "a bulk string of"),
        Refusal("*2\r\n+OK\r\n$99999999999\r\n", "a bulk string of 99999999999 bytes"),
        Refusal("*1048576\r\n", "a reply of more than 1048576 values"),
        Refusal("*999999999\r\n", "a reply of more than 1048576 values"),
        Refusal("*1000000\r\n*1000000\r\n", "a reply of more than 1048576 values"),
        Refusal(String(repeating: "*1\r\n", count: 8), "arrays nested deeper than 7"),
        Refusal(String(repeating: "*1\r\n", count: 100_000), "arrays nested deeper than 7"),
        Refusal("+" + String(repeating: "x", count: 70_000), "a line of more than 65536 bytes"),
        Refusal("$" + String(repeating: "1", count: 70_000), "a line of more than 65536 bytes"),
        Refusal("*" + String(repeating: "1", count: 70_000), "a line of more than 65536 bytes"),
        // RESP3, which only HELLO 3 would have asked for.
        Refusal("_\r\n", ""), Refusal("#t\r\n", ""), Refusal(",1.5\r\n", ""), Refusal("(12345\r\n", ""),
        Refusal("%1\r\n+a\r\n+b\r\n", ""),
        Refusal("~1\r\n+a\r\n", ""), Refusal(">2\r\n+a\r\n+b\r\n", ""), Refusal("=7\r\ntxt:abc\r\n", ""),
        Refusal("|1\r\n+a\r\n+b\r\n", ""),
    ]

    @Test(arguments: refused) func refuses(refusal: Refusal) throws {
        let wire = refusal.wire
        for step in [1, 5, 1000, .max] where step > 1 || wire.utf8.count < 1000 {
            let decoded = decode("+before\r\n" + wire, step: step)
            #expect(decoded.values == [.simple("before")])
            let error = try #require(decoded.error)
            #expect(error.description.contains(refusal.reason), "\(error)")
            #expect(error.description.utf8.count < 200)
        }
    }

    @Test func anErrorIsFinal() {
        var reader = ReplyReader()
        var seen: [RESPValue] = []
        var errors: [ProtocolError] = []
        for stream in [":1\r\n:2\r\n!", ":3\r\n", "", "garbage"] {
            do {
                try reader.read(ByteBuffer(string: stream)) { seen += $0.values() }
            } catch {
                errors.append(error)
            }
        }
        #expect(seen == [.integer(1), .integer(2)])
        #expect(errors.count == 4)
        #expect(Set(errors.map(\.description)).count == 1)
    }

    @Test func holdsNothingOfAReplyThatBrokeOff() {
        let decoded = decode("*3\r\n+a\r\n+b\r\n!")
        #expect(decoded.values.isEmpty)
        #expect(decoded.error != nil)
    }
}

@Suite struct ReplyLimitTests {
    @Test func acceptsABulkOfExactlyTheLimit() {
        let limits = ReplyLimits(bulkBytes: 10)
        #expect(decode("$10\r\n0123456789\r\n", limits: limits).error == nil)
        for step in [1, .max] {
            let decoded = decode("$11\r\n0123456789a\r\n", step: step, limits: limits)
            #expect(decoded.error?.reason == "a bulk string of 11 bytes, where at most 10 are accepted")
        }
    }

    @Test func countsNestedValues() {
        let limits = ReplyLimits(values: 6)
        #expect(decode("*2\r\n*2\r\n:1\r\n:2\r\n*1\r\n:3\r\n", limits: limits).error == nil)
        #expect(decode("*2\r\n*2\r\n:1\r\n:2\r\n*2\r\n:3\r\n:4\r\n", limits: limits).error != nil)
        // Each reply counts for itself.
        #expect(
            decode(String(repeating: "*5\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n", count: 100), limits: limits).error == nil)
        #expect(decode("*6\r\n", limits: limits).error != nil)
    }

    @Test func countsAllBytesOfAReply() {
        let limits = ReplyLimits(replyBytes: 10)
        #expect(decode("*2\r\n+12345\r\n$5\r\n12345\r\n+1\r\n", limits: limits).error == nil)
        let tooMuch = decode("*2\r\n+12345\r\n$6\r\n", limits: limits)
        #expect(tooMuch.error?.reason == "a reply of more than 10 bytes")
        #expect(decode("*2\r\n+12345\r\n-123456\r\n", limits: limits).error?.reason == "a reply of more than 10 bytes")
    }

    @Test func takesNoMemoryForAnnouncements() throws {
        var reader = ReplyReader()
        try reader.read(ByteBuffer(string: "*1000000\r\n$536870912\r\nxyz")) { _ in }
        #expect(reader.footprint < 1 << 20)
    }
}
