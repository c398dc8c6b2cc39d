import Foundation
import NIOCore
import Testing

@testable import RESP

@Suite struct PushMessageTests {
    @Test func knowsEveryKind() {
        let stream = [
            "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n",
            "*3\r\n$10\r\npsubscribe\r\n$2\r\nc*\r\n:2\r\n",
            "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$3\r\nkey\r\n",
            "*4\r\n$8\r\npmessage\r\n$2\r\nc*\r\n$2\r\ncd\r\n$4\r\nkey2\r\n",
            "*2\r\n$4\r\npong\r\n$0\r\n\r\n",
            "*2\r\n$4\r\npong\r\n$2\r\nhi\r\n",
            "+PONG\r\n",
            "+OK\r\n",
            "-NOPERM no channel\r\n",
            "*3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:1\r\n",
            "*3\r\n$12\r\npunsubscribe\r\n$-1\r\n:0\r\n",
            ":5\r\n",
            "$-1\r\n",
            "*-1\r\n",
            "*0\r\n",
            "*1\r\n$4\r\npong\r\n",
            "*3\r\n$7\r\nmessage\r\n*1\r\n$1\r\nc\r\n$3\r\nkey\r\n",
            "*3\r\n$7\r\nmassage\r\n$1\r\nc\r\n$3\r\nkey\r\n",
            "*5\r\n:1\r\n:2\r\n*2\r\n:3\r\n*0\r\n:4\r\n:5\r\n",
            "*3\r\n$7\r\nmessage\r\n$1\r\nd\r\n$4\r\nlast\r\n",
        ].joined()
        let expected: [Push] = [
            Push(.subscribed, channel: "c"),
            Push(.subscribed, channel: "c*"),
            Push(.message, channel: "c", payload: "key"),
            Push(.patternMessage, channel: "cd", payload: "key2"),
            Push(.pong, payload: ""),
            Push(.pong, payload: "hi"),
            Push(.pong, payload: "PONG"),
            Push(.other, payload: "OK"),
            Push(.error, payload: "NOPERM no channel"),
            Push(.unsubscribed, channel: "c"),
            Push(.unsubscribed, channel: ""),
            Push(.other, payload: ""),
            Push(.other, payload: ""),
            Push(.other, payload: ""),
            Push(.other, payload: ""),
            Push(.other, payload: ""),
            Push(.other, payload: ""),
            Push(.other, payload: ""),
            Push(.other, payload: ""),
            Push(.message, channel: "d", payload: "last"),
        ]
        for step in 1...stream.utf8.count {
            #expect(pushes(Array(stream.utf8), step: step) == expected, "in pieces of \(step)")
        }
    }

    static let keys: [[UInt8]] = [
        [],
        Array("session:42".utf8),
        Array("line\r\nbreak\n\r".utf8),
        Array("*3\r\n$7\r\nmessage\r\n".utf8),
        [0],
        [0xFF, 0xFE, 0xC0, 0x80],
        Array(UInt8.min...UInt8.max),
    ]

    @Test(arguments: keys) func deliversAKeyByteForByte(key: [UInt8]) {
        let channel = Array("__keyevent@0__:expired".utf8)
        let stream = array([Array("message".utf8), channel, key]) + array([Array("message".utf8), channel, [1]])
        for step in [1, 2, 3, 7, 64, stream.count] {
            #expect(
                pushes(stream, step: step) == [
                    Push(.message, channel: channel, payload: key), Push(.message, channel: channel, payload: [1]),
                ])
        }
    }

    @Test func deliversALargeKeyAndGivesItsMemoryBack() throws {
        try deliverLargeKey(of: 20_000_000)
    }

    @Test(.enabled(if: ProcessInfo.processInfo.environment["LAPSE_SLOW_TESTS"] != nil))
    func deliversTheLargestKeyOfAll() throws {
        try deliverLargeKey(of: (512 << 20) - 1)
    }

    @Test func aWarmReaderTakesNoMoreMemory() throws {
        let message = array([Array("message".utf8), [0x63], Array("key".utf8)])
        // Not a multiple of the message, so that slices end in the middle of one.
        let burst = ByteBuffer(bytes: Array(repeating: message, count: 5_000).joined())
        var reader = ReplyReader()
        var messages = 0
        var largest = 0
        for _ in 0..<20 {
            try reader.read(burst) { batch in
                batch.forEachPush { kind, _, _ in messages += kind == .message ? 1 : 0 }
            }
            largest = max(largest, reader.footprint)
        }
        #expect(messages == 100_000)
        #expect(largest < burst.readableBytes)
    }

    private func deliverLargeKey(of count: Int) throws {
        var key = Array("neither a period nor a line end: \r\n".utf8) + [0, 255]
        while key.count < count { key += key }
        key.removeLast(key.count - count)
        var reader = ReplyReader()
        var received: [Bool] = []
        let message = Array("message".utf8)
        var stream = ByteBuffer(bytes: array([message, [0x63], key]))
        stream.writeBytes(array([message, [0x63], [1, 2]]))
        try reader.read(stream) { batch in
            batch.forEachPush { _, _, payload in
                received.append(
                    payload.byteCount == count ? Array(copying: payload) == key : Array(copying: payload) == [1, 2])
            }
        }
        #expect(received == [true, true])
        #expect(reader.footprint < 3 << 20)
    }
}
