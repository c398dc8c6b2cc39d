import LeaderElection
import LeaderElectionRedis
import Testing
import ThrowawayRedis

/// Lapse's own lock runs out like any key, and the server counts it, whether a replica listens or not.
@Suite(.timeLimit(.minutes(2)), .serialized) struct OwnLockTests {
    private func start(_ server: ThrowawayServer, _ id: String) async throws -> LapseBinary.Child {
        let child = try LapseBinary.start(
            ["run", "--redis", server.url, "--lease-ttl", "1s", "--id", id, "--admin", "off", "--handler", "ndjson"])
        try await waitUntil("it leads", within: .seconds(20)) {
            child.text.errors.contains("became leader") ? nil : child.text.errors
        }
        return child
    }

    private func gaps(_ child: LapseBinary.Child) -> [String] {
        child.text.errors.split(separator: "\n").filter { $0.contains(" gap ") }.map(String.init)
    }

    /// Leaves a lock behind that runs out while no replica listens, and progress that does not know of it.
    private func crash(_ child: LapseBinary.Child, _ server: ThrowawayServer) async throws {
        try await server.script(["SET before v PX 20"])
        let progress = ElectionKeys.registers(1, name: "default")[0].progress
        try await waitUntil("its progress is written", within: .seconds(10)) {
            // `token write through base node pending`: an earlier word may not know yet that the key was handled.
            let words = try await server.cli("HVALS", progress).split(separator: "\n").map { $0.split(separator: " ") }
            return words.contains { $0.count == 6 && $0[2] == "1" && $0[5] == "-" } ? nil : "\(words)"
        }
        child.signal(9)
        _ = try await child.end()
        try await waitUntil("its lock has run out", within: .seconds(10)) {
            let keys = try await server.cli("KEYS", "*:lock")
            return keys.isEmpty ? nil : keys
        }
        try await waitUntil("it is counted", within: .seconds(10)) {
            let count = try await server.info("expired_keys")
            return count == "2" ? nil : count
        }
    }

    @Test func anOwnLockThatNobodyHeardIsNoLoss() async throws {
        let server = try await ThrowawayServer.start()
        try await crash(try await start(server, "one"), server)
        let next = try await start(server, "two")
        try await server.script(["SET k v PX 20"])
        try await waitUntil("it handles", within: .seconds(10)) { next.lines.isEmpty ? "nothing yet" : nil }
        #expect(gaps(next) == [])
        next.signal(15)
        #expect(try await next.end().code == 0)
        await server.shutDown()
    }

    @Test func whatIsLostBesideItIsCounted() async throws {
        let server = try await ThrowawayServer.start()
        try await crash(try await start(server, "one"), server)
        try await server.script((0..<3).map { "SET k\($0) v PX 20" })
        try await waitUntil("they have expired too", within: .seconds(10)) {
            let count = try await server.info("expired_keys")
            return count == "5" ? nil : "\(count ?? "")"
        }
        let next = try await start(server, "two")
        try await waitUntil("the gap is told", within: .seconds(10)) { gaps(next).isEmpty ? next.text.errors : nil }
        let gap = try #require(gaps(next).first)
        #expect(gap.contains("count=4") && gap.contains("lost=3"), "\(gap)")
        next.signal(15)
        #expect(try await next.end().code == 0)
        await server.shutDown()
    }

    /// One that was given back did not run out.
    @Test func aLockThatWasGivenBackExcusesNothing() async throws {
        let server = try await ThrowawayServer.start()
        let first = try await start(server, "one")
        // Known to the progress, so that what comes later is missed and not merely before its time.
        try await server.script(["SET k v PX 20"])
        try await waitUntil("it handles", within: .seconds(10)) { first.lines.isEmpty ? "nothing yet" : nil }
        first.signal(15)
        #expect(try await first.end().code == 0)
        try await server.script(["SET k v PX 20"])
        try await waitUntil("it has expired", within: .seconds(10)) {
            let count = try await server.info("expired_keys")
            return count == "2" ? nil : "\(count ?? "")"
        }
        let next = try await start(server, "two")
        try await waitUntil("the gap is told", within: .seconds(10)) { gaps(next).isEmpty ? next.text.errors : nil }
        #expect(gaps(next).first?.contains("lost=1") == true)
        next.signal(15)
        #expect(try await next.end().code == 0)
        await server.shutDown()
    }

    /// Its end is in the log; a hole of later has nothing to do with it.
    @Test func aLockWhoseEndWasHeardExcusesNothing() async throws {
        let server = try await ThrowawayServer.start()
        let first = try await start(server, "one")
        let next = try LapseBinary.start(
            ["run", "--redis", server.url, "--lease-ttl", "1s", "--id", "two", "--admin", "off", "--handler", "ndjson"])
        try await waitUntil("it follows", within: .seconds(20)) {
            next.text.errors.contains("following") && next.text.errors.contains("subscribed") ? nil : next.text.errors
        }
        first.signal(9)
        _ = try await first.end()
        try await waitUntil("the other leads", within: .seconds(20)) {
            next.text.errors.contains("became leader") ? nil : next.text.errors
        }
        // Each expires when it is asked for, behind a cut of the feed, or a moment before.
        for number in 1...10 {
            try await server.script(["SET k\(number) v PX 2"])
            try await server.script(["MULTI", "CLIENT KILL TYPE pubsub", "GET k\(number)", "EXEC"])
            try await waitUntil("\(number) is counted", within: .seconds(10)) {
                let count = try await server.info("expired_keys")
                return Int(count ?? "") == number + 1 ? nil : "\(count ?? "")"
            }
        }
        let lost = {
            self.gaps(next).reduce(0) {
                $0 + (Int($1.split(separator: "lost=").last?.prefix { $0.isNumber } ?? "") ?? 0)
            }
        }
        try await waitUntil("all are handled or called lost", within: .seconds(20)) {
            next.lines.count + lost() == 10 ? nil : "handled \(next.lines.count), lost \(lost()): \(gaps(next))"
        }
        next.signal(15)
        #expect(try await next.end().code == 0)
        await server.shutDown()
    }
}
