import NIOCore
import RESP
import Testing
import ThrowawayRedis

@testable import Lapse
@testable import RedisClient

/// Row 57: keys that are too large to be held. They have their numbers, and are lost and counted.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct LargeKeyTests {
    private let address = NodeAddress(host: "10.0.0.1", port: 6379)

    @Test("the numbers go on behind it, whether they are known yet or not", arguments: [true, false])
    func numbering(isMarkedFirst: Bool) throws {
        let log = NodeLog(runID: "run", address: address, limitBytes: 64 << 20, limitAge: .seconds(60))
        var told: [(Int, String)] = []
        func hear(_ keys: [String], isMark: Bool = false) throws {
            var bytes = ByteBuffer()
            for key in keys {
                RESPCommand("message", isMark ? "lapse:test" : EventChannel.name(0), key).encode(into: &bytes)
            }
            var reader = ReplyReader(limits: Subscription.limits(Subscription.messageBytes))
            try reader.read(bytes) { batch in
                _ = log.take(batch, now: 1, look: 0) { _ in
                } tooLarge: {
                    told.append(($0, $1.text))
                } control: { _ in
                    log.pinMark()
                }
            }
        }
        log.subscriptionBegan()
        if isMarkedFirst {
            try hear(["mark"], isMark: true)
            _ = log.resolve(counter: 10)
        }
        let large = String(repeating: "l", count: Subscription.messageBytes + 1)
        try hear(["a", large, "b", large])
        if !isMarkedFirst {
            try hear(["mark"], isMark: true)
            _ = log.resolve(counter: 14)
        }
        #expect(told.map(\.0) == [large.utf8.count, large.utf8.count])
        #expect(told.allSatisfy { $0.1 == String(large.prefix(64)) })
        #expect(log.counts.received == 4 && log.counts.entries == 2 && log.counts.last == 14)
        #expect(log.missing(in: 11...14) == [12...12, 14...14])
        try hear(["c"])
        try hear(["mark"], isMark: true)
        #expect(log.resolve(counter: 15) == .confirmed)
    }

    @Test func theOthersAreHandledAndTheConnectionStays() async throws {
        let server = try await ThrowawayServer.start()
        var configuration = ProcessorConfiguration(redis: [server.url], name: "large", match: ["k:*"])
        configuration.leaseTTL = .seconds(2)
        let handler = RunningHandler()
        try await handler.run(configuration) {
            try await server.cli(
                "EVAL", "return redis.call('SET', 'k:' .. string.rep('x', 3000000), '1', 'PX', 20)", "0")
            try await waitUntil("it is told", within: .seconds(20)) {
                handler.log.lines("expired key too large").isEmpty ? "not yet" : nil
            }
            try await server.cli(
                "EVAL", "return redis.call('PUBLISH', '__keyevent@0__:expired', string.rep('y', 5000000))", "0")
            let others = (0..<50).map { "k:\($0)" }
            try await server.script(others.map { "SET \($0) 1 PX 20" })
            try await handler.waitFor(others)
            try await waitUntil("what was passed over is counted", within: .seconds(20)) {
                let account = handler.status?.nodes.first?.account ?? NodeAccount()
                return account.lost == 2 && account.handled == 50 && account.imbalance == 0 ? nil : "\(account)"
            }
        }
        let told = try #require(handler.log.lines("expired key too large").first)
        #expect(told.contains("bytes=3000002") && told.contains("key=k:xxx") && told.utf8.count < 500)
        #expect(handler.log.lines("subscription lost").count <= 1, "only at the end: \(handler.log.lines)")
        await server.shutDown()
    }
}
