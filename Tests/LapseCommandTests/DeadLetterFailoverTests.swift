import Foundation
import Testing
import ThrowawayRedis

/// A retry goes on with the stream's next master.
@Suite(.timeLimit(.minutes(2)), .serialized) struct DeadLetterFailoverTests {
    @Test func whatIsHandledDuringAFailoverIsDeleted() async throws {
        let group = try await ThrowawaySentinel.start()
        let master = try await group.master()
        _ = try await master.cli(
            "XADD", "dead", "1000-0", "key", "a:1", "database", "0", "node", "127.0.0.1:1", "runId", "run", "ordinal",
            "7", "origin", "live", "attempts", "6", "error", "refused", "term", "3", "token", "99", "formatVersion", "1"
        )
        let other = try #require(group.servers.first { $0 !== master })
        try await waitUntil("the replica has it", within: .seconds(10)) {
            let count = try await other.cli("XLEN", "dead")
            return count.hasPrefix("1") ? nil : count
        }
        let (runs, mayEnd) = (try TemporaryFile(""), try TemporaryFile(""))
        let urls = group.sentinels.map { "redis+sentinel://\($0.address)/mymaster" }.joined(separator: ",")
        let child = try LapseBinary.start([
            "dead-letters", "retry", "1000-0", "--redis", urls, "--dead-letter", "dead", "--exec",
            "sh -c 'echo runs >\(runs.path); until [ -s \(mayEnd.path) ]; do sleep 0.1; done'",
        ])
        try await waitUntil("the handler runs", within: .seconds(20)) {
            try String(contentsOfFile: runs.path, encoding: .utf8).isEmpty ? child.text.errors : nil
        }
        await master.kill()
        let next = try await group.waitForPromotion(after: master)
        try "yes".write(toFile: mayEnd.path, atomically: false, encoding: .utf8)
        let run = try await child.end(within: .seconds(30))
        #expect(run.code == 0, "\(run.errors)")
        #expect(try await next.cli("XLEN", "dead").hasPrefix("0"))
        await group.shutDown()
    }
}
