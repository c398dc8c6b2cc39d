import NIOCore
import RESP
import Testing

@testable import Lapse
@testable import RedisClient

/// What a node announces after a silence is believed only once its role is settled.
struct NodeLogDoubtTests {
    private func log() -> NodeLog {
        NodeLog(
            runID: "run", address: NodeAddress(host: "10.0.0.1", port: 6379), limitBytes: 1 << 20,
            limitAge: .seconds(60))
    }

    @Test func theDoubtOutlivesTheSubscription() {
        let log = log()
        log.subscriptionBegan()
        log.doubt()
        log.subscriptionEnded(now: 1)
        log.subscriptionBegan()
        #expect(log.openSilence == 1, "so the next feed has to settle it")
    }

    @Test("a node that falls silent again while the first silence is looked into stays in doubt")
    func aLookSettlesOnlyWhatItLookedInto() throws {
        let log = log()
        log.doubt()
        let first = try #require(log.openSilence)
        log.doubt()
        log.decide(look: 7, about: first)
        let second = try #require(log.openSilence)
        log.decide(look: 8, about: second)
        #expect(log.openSilence == nil)
    }

    private func hear(_ key: String, _ log: NodeLog, since: Int, look: Int) throws -> ExpirationLog.Provenance {
        var reader = ReplyReader()
        var bytes = ByteBuffer()
        RESPCommand("message", EventChannel.name(0), key).encode(into: &bytes)
        try reader.read(bytes) { batch in
            _ = log.take(batch, now: 1_000, since: since, look: look) { _ in }
        }
        return try #require(log.counts.last.flatMap { log.entry($0) }).provenance
    }

    private func numberedLog() -> NodeLog {
        let log = log()
        log.subscriptionBegan()
        var reader = ReplyReader()
        var bytes = ByteBuffer()
        RESPCommand("message", "lapse:test", "nonce").encode(into: &bytes)
        try? reader.read(bytes) { batch in
            _ = log.take(batch, now: 1_000, look: 0) { _ in log.pinMark() }
        }
        _ = log.resolve(counter: 0)
        return log
    }

    @Test("what a deposed master still has on its way was announced before it knew, whenever it comes")
    func theRestOfADeposedMastersBacklog() throws {
        let log = numberedLog()
        #expect(try hear("a", log, since: 3, look: 4) == .trusted(since: 3, look: 4))
        log.doubt()
        #expect(try hear("b", log, since: 3, look: 5) == .doubted(look: 5))
        let silence = try #require(log.openSilence)
        log.decide(look: 6, about: silence, isDeposed: true)
        #expect(log.entry(2)?.provenance == .decided(look: 6))
        #expect(try hear("c", log, since: 3, look: 7) == .trusted(since: 7, look: 7))
    }

    @Test("seed 6200: a node may be promoted while a look is under way: what came meanwhile waits for the next one")
    func aLookDecidesOnlyAboutWhatCameBeforeIt() throws {
        let log = numberedLog()
        log.doubt()
        _ = try hear("announced while it was frozen", log, since: 3, look: 5)
        _ = try hear("announced after it was promoted", log, since: 3, look: 6)
        let silence = try #require(log.openSilence)
        log.decide(look: 5, about: silence, isDeposed: true)
        #expect(log.entry(1)?.provenance == .decided(look: 5))
        #expect(log.entry(2)?.provenance == .doubted(look: 6))
        #expect(log.openSilence == silence, "another look is needed")
        #expect(try hear("no more in doubt", log, since: 3, look: 6) == .trusted(since: 6, look: 6))
        log.decide(look: 6, about: silence)
        #expect(log.entry(2)?.provenance == .decided(look: 6))
        #expect(log.openSilence == nil)
    }

    @Test("a silence that was only the connection's casts no doubt on what comes after it")
    func aSlowConnection() throws {
        let log = numberedLog()
        log.doubt()
        log.acquit(try #require(log.openSilence))
        #expect(log.openSilence == nil)
        #expect(try hear("a", log, since: 3, look: 9) == .trusted(since: 3, look: 9))
    }

    @Test("seed 56469: a slow connection settles nothing that an earlier silence left to the next look")
    func anAcquittalSpeaksOfItsOwnSilence() throws {
        let log = numberedLog()
        log.doubt()
        _ = try hear("came while a look was under way", log, since: 3, look: 5)
        let first = try #require(log.openSilence)
        log.decide(look: 4, about: first)
        log.doubt()
        log.acquit(try #require(log.openSilence))
        #expect(try hear("a", log, since: 6, look: 7) == .trusted(since: 6, look: 7))
        let silence = try #require(log.openSilence, "the next look must decide about the first one")
        log.decide(look: 7, about: silence)
        #expect(log.entry(1)?.provenance == .decided(look: 7))
        #expect(log.openSilence == nil)
    }

    @Test("a node that has not agreed yet stays in doubt when its connection turns out to be slow as well")
    func anEarlierSilenceOutlivesAnAcquittal() throws {
        let log = numberedLog()
        log.doubt()
        log.doubt()
        let second = try #require(log.openSilence)
        log.acquit(second)
        #expect(log.openSilence == second)
        #expect(try hear("a", log, since: 3, look: 5) == .doubted(look: 5))
        log.decide(look: 5, about: second)
        #expect(log.entry(1)?.provenance == .decided(look: 5))
        #expect(try hear("b", log, since: 6, look: 7) == .trusted(since: 6, look: 7))
    }

    @Test func theDoubtAboutADeadProcessIsLeftToOthers() throws {
        let log = numberedLog()
        log.doubt()
        _ = try hear("a", log, since: 3, look: 5)
        _ = try hear("b", log, since: 3, look: 6)
        log.abandonDoubt(about: try #require(log.openSilence))
        #expect(log.entry(1)?.provenance == .abandoned(look: 5))
        #expect(log.entry(2)?.provenance == .abandoned(look: 6))
    }
}
