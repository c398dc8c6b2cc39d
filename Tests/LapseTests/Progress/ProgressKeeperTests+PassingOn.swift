import LeaderElection
import LeaderElectionRedis
import RESP
import RedisClient
import Testing

@testable import Lapse

extension ProgressKeeperTests {
    @Test("row 56: what a leader told is written in its place, and never over what it or a later one wrote")
    func aFollowerWritesWhatWasTold() async throws {
        try await Self.withKeeper { keeper in
            let old = FencingToken(rawValue: 7)
            _ = await keeper.write([progress(5, token: 7, write: 1)], token: old)
            let told = [progress(9, token: 7, write: 3)]
            // Not believed, or not the newest word: it is none of this replica's business.
            #expect(await keeper.passOn(told, token: 7) == .fenced)
            keeper.learn(told)
            #expect(await keeper.passOn(told, token: 7) == .written)
            let written = try #require(await keeper.read())
            #expect(written["run"]?.cursor.through == 9)
            // The leader lives, and has written meanwhile.
            _ = await keeper.write([progress(11, token: 7, write: 5)], token: old)
            #expect(await keeper.passOn(told, token: 7) == .fenced)
            let untold = [progress(12, token: 7, write: 6)]
            keeper.learn(untold)
            _ = await keeper.read(fencing: FencingToken(rawValue: 8))
            #expect(await keeper.passOn(untold, token: 7) == .fenced)
            let last = try #require(await keeper.read())
            #expect(last["run"]?.cursor.through == 11)
            #expect(keeper.troubles.writing == nil)
        }
    }

    @Test("a made-up number of a write that a follower passes on does not shut out the leader's own writes")
    func aForgedNumberIsNoFence() async throws {
        try await Self.withKeeper { keeper in
            let token = FencingToken(rawValue: 7)
            _ = await keeper.write([progress(5, token: 7, write: 1)], token: token)
            let forged = [progress(500, token: 7, write: 1 << 40)]
            keeper.learn(forged)
            #expect(await keeper.passOn(forged, token: 7) == .written)
            #expect(await keeper.write([progress(6, token: 7, write: 2)], token: token) == .written)
            let place = keeper.places[0]
            let kept = try await place.runner.run(
                Script("return redis.call('HGET', KEYS[1], 'log:run')"), keys: [place.keys.progress], arguments: [],
                timeout: .seconds(5))
            let text = try #require(kept.string)
            #expect(Progress(field: "log:run", text: text)?.cursor.through == 6)
        }
    }
}
