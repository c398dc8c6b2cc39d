import LeaderElection
import NIOCore
import RESP
import RedisClient
import Testing

@testable import Lapse

/// What a node counts and does not announce: unannounced where nothing could be heard, else lost.
struct CountedOnlyTests {
    private let logs = LogSet(limitBytes: 1 << 20, limitAge: .seconds(60))
    private let node = NodeAddress(host: "10.0.0.1", port: 6379)

    private func machine() -> DeliveryMachine {
        var machine = DeliveryMachine(
            logs: logs, filter: KeyFilter(match: ["k:*"], ignore: [], databases: [0]), lanes: 1)
        machine.note(.oneMaster(at: node))
        machine.begin(token: FencingToken(rawValue: 7), progress: [:], now: 1_000)
        return machine
    }

    @Test("row 70: what a node counts and does not announce, though it is set to, is unannounced and not lost")
    func whatIsCountedOnlyIsUnannounced() throws {
        let log = logs.log(of: "run", at: node)
        log.subscriptionBegan()
        try log.hear("lapse:test", "nonce")
        _ = log.resolve(counter: 0)
        var machine = machine()
        try log.hear(EventChannel.name(0), "k:1")
        try log.hear("lapse:test", "nonce")
        _ = log.resolve(counter: 4, flagsWereFine: true)
        try log.hear(EventChannel.name(0), "k:5")
        let delivery = Array(machine.take(4)) + Array(machine.take(4))
        #expect(delivery.map(\.ordinal) == [1, 5])
        let news = machine.takeActions()
        #expect(news.holes.isEmpty && news.unannounced == [node: 3])
        for one in delivery { machine.finish(one) }
        let account = try #require(machine.accounts().first?.account)
        #expect(account.announced == 5 && account.handled == 2 && account.unannounced == 3 && account.lost == 0)
        #expect(account.imbalance == 0)
    }

    @Test("what a node counted while a peer found it silent is asked for, though every look here found its flags fine")
    func aPeersWordOnSilenceCounts() throws {
        let log = logs.log(of: "run", at: node)
        log.subscriptionBegan()
        try log.hear("lapse:test", "nonce")
        _ = log.resolve(counter: 0)
        var machine = machine()
        // The mark is on its way when the word comes: it stands for what comes after that mark.
        try log.hear("lapse:test", "nonce")
        log.wasSilenced()
        _ = log.resolve(counter: 0, flagsWereFine: true)
        try log.hear("lapse:test", "nonce")
        _ = log.resolve(counter: 3, flagsWereFine: true)
        #expect(Array(machine.take(4)).isEmpty)
        let actions = machine.takeActions()
        #expect(actions.unannounced.isEmpty && actions.holes.map(\.ordinals) == [1...3])
        // From that mark on it announces again.
        let lost = machine.settle(try #require(actions.holes.first), .answered)
        #expect(lost == 3)
        try log.hear("lapse:test", "nonce")
        _ = log.resolve(counter: 4, flagsWereFine: true)
        try log.hear(EventChannel.name(0), "k:5")
        let delivery = machine.take(4)
        #expect(delivery.map(\.ordinal) == [5])
        #expect(machine.takeActions().unannounced == [node: 1])
    }
}

extension NodeLog {
    /// One message as a feed gets it; on the control channel it is a mark.
    func hear(_ channel: String, _ payload: String) throws {
        var reader = ReplyReader()
        var bytes = ByteBuffer()
        RESPCommand("message", channel, payload).encode(into: &bytes)
        try reader.read(bytes) { batch in
            _ = take(batch, now: 1_000, look: 0) { _ in pinMark() }
        }
    }
}
