import NIOCore
import Testing

@testable import RESP

@Suite struct RESPCommandTests {
    private func wire(_ command: RESPCommand) -> String {
        var buffer = ByteBuffer()
        command.encode(into: &buffer)
        return String(buffer: buffer)
    }

    @Test func encodesWords() {
        #expect(wire(["PING"]) == "*1\r\n$4\r\nPING\r\n")
        #expect(wire(RESPCommand("SET", "k", "")) == "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n")
        #expect(wire(RESPCommand("GET", "schlüssel")) == "*2\r\n$3\r\nGET\r\n$10\r\nschlüssel\r\n")
        #expect(wire([]) == "*0\r\n")
    }

    @Test func wordsInTheMakingAreEncodedAlike() {
        let texts = ["", "k", "schlüssel", String(repeating: "x", count: 1000)]
        let numbers: [UInt64] = [0, 9, 10, 99, 100, 1_795_747_054_789, .max]
        var words = RESPWords()
        for text in texts { words.append(text) }
        for text in texts { words.append(Array(text.utf8)) }
        for number in numbers { words.append(number) }
        words.append(contentsOf: RESPCommand("a", "b"))
        var twice = words
        twice.append(contentsOf: words)
        let expected = texts + texts + numbers.map(String.init) + ["a", "b"]
        #expect(RESPCommand(words) == RESPCommand(expected))
        #expect(RESPCommand(twice) == RESPCommand(expected + expected))
    }

    @Test func encodesArgumentsOfEveryKind() throws {
        var command: RESPCommand = ["EVALSHA"]
        command.append(Int64.min)
        command.append([0xFF, 0x0D, 0x0A, 0x00])
        command.append(ByteBuffer(string: "*1\r\n"))
        command.append([UInt8]())
        command.append("")
        var buffer = ByteBuffer(string: "before")
        command.encode(into: &buffer)
        let expected =
            Array("before*6\r\n$7\r\nEVALSHA\r\n$20\r\n-9223372036854775808\r\n$4\r\n".utf8)
            + [0xFF, 0x0D, 0x0A, 0x00] + Array("\r\n$4\r\n*1\r\n\r\n$0\r\n\r\n$0\r\n\r\n".utf8)
        #expect(Array(buffer.readableBytesView) == expected)
    }

    /// A server reads with the same grammar, so what is encoded decodes to its words.
    @Test func encodesWhatDecodesToTheSame() {
        let words: [[UInt8]] = [Array("SET".utf8), [], [0x0D, 0x0A], Array(UInt8.min...UInt8.max)]
        var command = RESPCommand()
        for word in words { command.append(word) }
        var buffer = ByteBuffer()
        command.encode(into: &buffer)
        #expect(decode(Array(buffer.readableBytesView)).values == [.array(words.map { .bulk(ByteBuffer(bytes: $0)) })])
        for (index, word) in words.enumerated() {
            #expect(command[index] == ByteBuffer(bytes: word))
        }
        #expect(command[words.count] == nil)
        #expect(command[-1] == nil)
        #expect(command.count == words.count)
    }

    @Test func comparesItsWords() {
        #expect(RESPCommand("A", "bc") == ["A", "bc"])
        #expect(RESPCommand("A", "bc") != ["A", "b", "c"])
        #expect(RESPCommand("A", "bc") != ["Ab", "c"])
    }

    @Test(arguments: [
        ["AUTH", "hunter2"], ["AUTH", "hunter2", "hunter2"], ["HELLO", "2", "AUTH", "default", "hunter2"],
        ["CONFIG", "SET", "requirepass", "hunter2"], ["ACL", "SETUSER", "lapse", ">hunter2"], ["SET", "k", "hunter2"],
    ])
    func showsNoArguments(words: [String]) {
        let command = RESPCommand(words)
        struct Holder { let commands: [RESPCommand] }
        var dumped = ""
        dump(Holder(commands: [command]), to: &dumped)
        for text in ["\(command)", String(reflecting: command), "\(Holder(commands: [command]))", dumped] {
            #expect(!text.contains("hunter2"))
            #expect(text.contains(words[0]))
        }
    }

    @Test func describesItself() {
        #expect("\(RESPCommand("PING"))" == "PING")
        #expect("\(RESPCommand("GET", "k"))" == "GET with 1 argument")
        #expect("\(RESPCommand("SET", "k", "v"))" == "SET with 2 arguments")
        #expect("\(RESPCommand())" == "an empty command")
    }
}
