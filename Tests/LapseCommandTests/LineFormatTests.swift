import Foundation
import Lapse
import LapseAdmin
import LapseHandlers
import Logging
import Synchronization
import Testing
import Timing

@testable import Console
@testable import LapseCommand

/// The lines that other programs read.
@Suite struct LineFormatTests {
    private func expiration(_ key: [UInt8], value: [UInt8]? = nil, deadline: KnownDeadline? = nil) -> Expiration {
        Expiration(
            key: ExpirationKey(bytes: key), database: 0,
            process: NodeProcess(runID: "7a56", node: "127.0.0.1:30001"), ordinal: 1234, origin: .live,
            receivedMilliseconds: 1_767_323_045_678, value: value, deadline: deadline)
    }

    private func line(_ key: [UInt8], value: [UInt8]? = nil, deadline: KnownDeadline? = nil) -> String {
        var format = NDJSONFormat(
            replica: "a", term: 5, token: 1_721_000_000_000_000, handledAt: 1_767_323_045_680)
        let lines = format.lines(ExpirationBatch(testing: [expiration(key, value: value, deadline: deadline)]))
        return String(decoding: lines.bytes, as: UTF8.self)
    }

    @Test func anExpirationIsOneGoldenLine() {
        #expect(
            line(Array("session:42".utf8)) == """
                {"key":"session:42","database":0,"node":"127.0.0.1:30001","runId":"7a56","ordinal":1234,"origin":"live",\
                "replica":"a","term":5,"token":1721000000000000,"attempt":1,"receivedAt":"2026-01-02T03:04:05.678Z",\
                "handledAt":"2026-01-02T03:04:05.680Z","formatVersion":1}

                """)
    }

    @Test func everyKeyComesBackAsItWas() throws {
        struct Read: Decodable {
            var key: String?
            var keyBase64: Data?
        }
        let plain = (UInt8.min...0x7F).map { [$0] } + ["\u{0}\"\\\n\r\t/é漢🙂\u{2028}", ""].map { Array($0.utf8) }
        let binary: [[UInt8]] = [[0xFF], [0xC3, 0x28], [0, 0x80, 0xFF, 1], [0xED, 0xA0, 0x80], [0x61, 0xC3]]
        for key in plain + binary {
            let text = line(key)
            #expect(text.hasSuffix("}\n") && text.utf8.count { $0 == 10 } == 1)
            let read = try JSONDecoder().decode(Read.self, from: Data(text.utf8))
            #expect((read.key == nil) != (read.keyBase64 == nil))
            #expect(read.key.map { Array($0.utf8) } ?? read.keyBase64.map(Array.init) == key)
        }
        #expect(line([0xFF, 0, 1]).contains(#""keyBase64":"/wAB""#))
    }

    @Test func aDeadlineThatIsKnownComesWithItsLag() {
        let deadline = KnownDeadline(milliseconds: 1_767_323_045_671, lag: 7)
        let facts = #","formatVersion":1,"deadline":"2026-01-02T03:04:05.671Z","lagMs":7"#
        #expect(line([0x61], deadline: deadline).hasSuffix(facts + "}\n"))
        #expect(line([0x22], deadline: deadline).hasSuffix(facts + "}\n"))
        #expect(line([0x61], value: [0x62], deadline: deadline).hasSuffix(facts + #","value":"b"}"# + "\n"))
    }

    @Test func aCompanionsValueComesAlong() {
        #expect(line([0x61], value: Array("cart".utf8)).contains(#","value":"cart"}"#))
        #expect(line([0x61], value: [0xFE]).contains(#","valueBase64":"/g=="}"#))
    }

    @Test func timesAreTheCalendars() {
        let calendar = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        var seconds: Int64 = -2_208_988_800
        while seconds < 7_258_118_400 {
            let date = Date(timeIntervalSince1970: Double(seconds))
            #expect(UTCTime(milliseconds: seconds * 1000).text == date.formatted(calendar))
            seconds += 1_234_567
        }
        #expect(UTCTime(milliseconds: -1).text == "1969-12-31T23:59:59.999Z")
        #expect(UTCTime(milliseconds: 951_782_400_000).text == "2000-02-29T00:00:00.000Z")
    }

    // MARK: - Logs

    private let facts = [("error", "it \"broke\"\nbadly"), ("key", "a=b"), ("node", "10.0.0.1:6379"), ("z", "")]

    @Test func aLogLineForPeople() {
        let line = LogLine(time: UTCTime(milliseconds: 0), level: .info, message: "became\nleader", facts: facts)
        #expect(
            String(decoding: line.text, as: UTF8.self) == """
                1970-01-01T00:00:00.000Z info  became\\nleader  error="it \\"broke\\"\\nbadly" key="a=b" \
                node=10.0.0.1:6379 z=""

                """)
    }

    @Test func aLogLineForPrograms() throws {
        let line = LogLine(
            time: UTCTime(milliseconds: 0), level: .warning, message: "m", facts: facts + [("time", "own")])
        let text = String(decoding: line.json, as: UTF8.self)
        #expect(text.hasPrefix(#"{"time":"1970-01-01T00:00:00.000Z","level":"warning","message":"m","#))
        let read = try JSONDecoder().decode([String: String].self, from: Data(line.json))
        #expect(read["error"] == "it \"broke\"\nbadly")
        #expect(read["time_"] == "own")
    }

    @Test("a number given as a number is one, a key that looks like one is not")
    func numbersInJSON() throws {
        struct Read: Decodable {
            var term: Int
            var key: String
        }
        let lines = Mutex<[[UInt8]]>([])
        let logger = Logger(label: "test") { _ in
            LineLogHandler(format: .json, level: .info) { bytes in lines.withLock { $0.append(bytes) } }
        }
        logger.info("handled", metadata: ["term": .stringConvertible(5), "key": "42"])
        let read = try JSONDecoder().decode(Read.self, from: Data(lines.withLock { $0[0] }))
        #expect(read.term == 5 && read.key == "42")
    }

    @Test(arguments: ["\u{1B}[2J", "\u{202E}gnp.exe", "a\u{0}b", "\u{85}", "line\u{2028}line"])
    func nothingSteersTheTerminal(text: String) {
        for shown in [Printable.text(text), Printable.quoted(text)] {
            #expect(shown.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control })
            #expect(!shown.contains("\u{202E}") && !shown.contains("\u{2028}"))
        }
    }

    @Test(
        "a quoted value is a string of JSON, from which readers of logfmt get back what was logged",
        arguments: [
            "a b", "a\\b", "\u{1B}[2J", "\u{202E}x", "tag \u{E0001}", "a\nb", "x=\"y\"",
        ])
    func logfmt(text: String) throws {
        let quoted = Printable.quoted(text)
        #expect(try JSONDecoder().decode([String].self, from: Data("[\(quoted)]".utf8)) == [text])
    }

    @Test("the last line of a log in JSON is JSON too")
    func fatalLine() throws {
        let line = FatalLine.bytes("Redis \"away\"\nfor good", .critical, .json, at: 0)
        let read = try JSONDecoder().decode([String: String].self, from: Data(line))
        #expect(read["message"] == "Redis \"away\"\nfor good" && read["level"] == "critical")
        #expect(FatalLine.bytes("x", .critical, .text, at: 0) == Array("lapse: x\n".utf8))
    }

    @Test func metadataIsMergedAndSorted() {
        let lines = Mutex<[String]>([])
        var logger = Logger(label: "test") { _ in
            LineLogHandler(format: .text, level: .info) { bytes in
                lines.withLock { $0.append(String(decoding: bytes, as: UTF8.self)) }
            }
        }
        logger[metadataKey: "term"] = "4"
        logger[metadataKey: "node"] = "n"
        logger.debug("not shown")
        logger.notice("shown", metadata: ["term": "5", "a": ["x", "y"]])
        let all = lines.withLock { $0 }
        #expect(all.count == 1)
        #expect(all.first?.hasSuffix("Z notice shown  a=\"[\\\"x\\\", \\\"y\\\"]\" node=n term=5\n") == true, "\(all)")
    }

    @Test func aTableIsAsWideAsItMustBe() {
        var table = TextTable("node", "role")
        table.add("127.0.0.1:6379", "master")
        #expect(table.lines == ["node            role", "127.0.0.1:6379  master"])
    }

    @Test func aTailLineIsReadable() {
        let line = TailLine(time: UTCTime(milliseconds: 0), node: "n:1", database: 3, key: Array("a\nb".utf8))
        #expect(String(decoding: line.bytes(.text), as: UTF8.self) == "1970-01-01T00:00:00.000Z n:1 3 a\\nb\n")
        #expect(
            String(decoding: line.bytes(.json), as: UTF8.self)
                == #"{"key":"a\nb","database":3,"node":"n:1","receivedAt":"1970-01-01T00:00:00.000Z","formatVersion":1}"#
                + "\n")
    }
}

/// The log's lines for a batch are those that the logger would print one by one.
@Suite struct HandledLinesTests {
    @Test(arguments: [LogFormat.text, .json])
    func eachIsAsTheLoggerPrintsIt(_ format: LogFormat) throws {
        let keys = ["session:42", "", "a b", "a=b", "\"q\"", "é漢", "\n", "\\", "~key~", "x"]
        let expirations = keys.enumerated().map { index, key in
            Expiration(
                key: ExpirationKey(key), node: index < 8 ? "127.0.0.1:30001" : "127.0.0.1:30002",
                origin: index % 3 == 0 ? .takeover : .live)
        }
        let lines = HandledLines(format)
        for time in [1_767_323_045_678, 1_767_323_045_679] as [Int64] {
            let text = String(
                decoding: lines.lines(ExpirationBatch(testing: expirations), term: 7, at: time).bytes, as: UTF8.self)
            let expected = expirations.map { expiration in
                let line = LogLine(
                    time: UTCTime(milliseconds: time), level: .info, message: "expiration handled",
                    facts: [
                        ("key", "\(expiration.key)"), ("node", expiration.node), ("origin", expiration.origin.rawValue),
                        ("term", "7"),
                    ], numbers: ["term"])
                return String(decoding: format == .text ? line.text : line.json, as: UTF8.self)
            }
            #expect(text == expected.joined())
        }
    }

    @Test func ndjsonLinesOfABatchAreThoseOfEachAlone() {
        let keys = ["session:42", "", "a b", "\"q\"", "é漢", "\n", "x"]
        let expirations = (0..<60).map { (index: Int) -> Expiration in
            let isFirst = index < 40
            let ordinal = UInt64(index % 5 == 0 ? index * 3 + 5 : index + 5)
            return Expiration(
                key: ExpirationKey(keys[index % keys.count]), node: isFirst ? "127.0.0.1:30001" : "127.0.0.1:30002",
                position: Position(runID: isFirst ? "one" : "two", ordinal: ordinal),
                origin: index % 7 == 0 ? .repair : .live,
                receivedAt: Date(timeIntervalSince1970: Double(1_767_323_045 + index / 9)))
        }
        func text(_ expirations: [Expiration]) -> String {
            var format = NDJSONFormat(replica: "a", term: 5, token: 6, handledAt: 1_767_323_045_680)
            return String(decoding: format.lines(ExpirationBatch(testing: expirations)).bytes, as: UTF8.self)
        }
        #expect(text(expirations) == expirations.map { text([$0]) }.joined())
    }
}
