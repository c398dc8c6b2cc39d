import NIOCore
import Testing

@testable import RESP

@Suite struct ReplyDecodingTests {
    static let table: [(String, RESPValue)] = [
        ("+OK\r\n", .simple("OK")),
        ("+\r\n", .simple("")),
        ("-ERR no\r\n", .error(RESPError("ERR no"))),
        (":0\r\n", .integer(0)),
        (":-42\r\n", .integer(-42)),
        (":9223372036854775807\r\n", .integer(.max)),
        (":-9223372036854775808\r\n", .integer(.min)),
        ("$5\r\nhello\r\n", .bulk(ByteBuffer(string: "hello"))),
        ("$0\r\n\r\n", .bulk(ByteBuffer())),
        ("$4\r\n\r\n\r\n\r\n", .bulk(ByteBuffer(string: "\r\n\r\n"))),
        ("$-1\r\n", .null),
        ("*-1\r\n", .null),
        ("*0\r\n", .array([])),
        ("*2\r\n:1\r\n$1\r\na\r\n", .array([.integer(1), .bulk(ByteBuffer(string: "a"))])),
        (
            "*3\r\n*1\r\n+a\r\n*0\r\n*2\r\n$-1\r\n*1\r\n-E x\r\n",
            .array([.array([.simple("a")]), .array([]), .array([.null, .array([.error(RESPError("E x"))])])])
        ),
        ("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:7\r\n", nested(7, .integer(7))),
        // A long line of digits is no length.
        ("+99999999999999999999999999\r\n", .simple("99999999999999999999999999")),
    ]

    private static func nested(_ depth: Int, _ value: RESPValue) -> RESPValue {
        depth == 0 ? value : .array([nested(depth - 1, value)])
    }

    @Test(arguments: table) func decodes(wire: String, value: RESPValue) {
        for step in 1...wire.utf8.count {
            #expect(decode(wire, step: step) == Decoded(values: [value]), "in pieces of \(step)")
        }
    }

    /// The strings of one reply share memory up to a size, and each of its parts has its own beyond.
    @Test(arguments: [1, 100, 60_000, 200_000]) func stringsOfOneReplyAreEachTheirOwn(size: Int) {
        let words = ["", "a", String(repeating: "x", count: size), "", "last"]
        let list = "*5\r\n" + words.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()
        let wire = "*3\r\n$2\r\nid\r\n\(list)\(list)"
        let values = RESPValue.array(words.map { .bulk(ByteBuffer(string: $0)) })
        let whole = RESPValue.array([.bulk(ByteBuffer(string: "id")), values, values])
        #expect(decode(wire + wire) == Decoded(values: [whole, whole]))
        #expect(decode(wire + wire, step: 7) == Decoded(values: [whole, whole]))
    }

    @Test func decodesAStreamCutAnywhere() {
        let stream = Self.table.map(\.0).joined()
        let whole = Decoded(values: Self.table.map(\.1))
        for step in 1...stream.utf8.count {
            #expect(decode(stream, step: step) == whole, "in pieces of \(step)")
        }
        let bytes = Array(stream.utf8)
        for cut in 0...bytes.count {
            #expect(decode(Array(bytes[..<cut])).error == nil, "cut at \(cut)")
        }
    }

    @Test func givesNothingBeforeAReplyIsComplete() throws {
        var reader = ReplyReader()
        var batches: [Int] = []
        try reader.read(ByteBuffer(string: "*2\r\n+a\r\n$3\r\nab")) { batches.append($0.count) }
        #expect(batches.isEmpty)
        try reader.read(ByteBuffer(string: "c\r\n:1\r\n:2\r")) { batches.append($0.count) }
        #expect(batches == [2])
        try reader.read(ByteBuffer()) { batches.append($0.count) }
        #expect(batches == [2])
        try reader.read(ByteBuffer(string: "\n")) { batches.append($0.count) }
        #expect(batches == [2, 1])
    }

    @Test func handsOverABatchForEachSlice() throws {
        var reader = ReplyReader()
        let replies = 10_000
        var counts: [Int] = []
        try reader.read(ByteBuffer(string: String(repeating: ":1234\r\n", count: replies))) { counts.append($0.count) }
        #expect(counts.reduce(0, +) == replies)
        #expect(counts.allSatisfy { $0 <= 16 * 1024 / 7 + 1 })
    }

    @Test func keepsAReplyThatSpansManySlices() {
        let elements = 50_000
        let stream =
            "+first\r\n*\(elements)\r\n" + (0..<elements).map { "$5\r\n\(10_000 + $0)\r\n" }.joined() + ":7\r\n"
        let expected = Decoded(values: [
            .simple("first"),
            .array((0..<elements).map { .bulk(ByteBuffer(string: "\(10_000 + $0)")) }),
            .integer(7),
        ])
        #expect(decode(stream) == expected)
        #expect(decode(stream, step: 4_099) == expected)
    }

    @Test func replacesWhatIsNotUTF8InText() {
        let decoded = decode([0x2B, 0xFF, 0x61, 0x0D, 0x0A])
        #expect(decoded.values == [.simple("\u{FFFD}a")])
    }
}
