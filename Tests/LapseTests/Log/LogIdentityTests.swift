import RedisClient
import Testing

@testable import Lapse

/// Rows 60, 64 and 65: a log belongs to a server process, not to an address.
struct LogIdentityTests {
    private let book = LogSet(limitBytes: 1 << 20, limitAge: .seconds(60))
    private let name = NodeAddress(host: "name", port: 6379)
    private let ip = NodeAddress(host: "10.0.0.1", port: 6379)
    private let start: UInt64 = 1_000_000_000

    @Test func twoNamesOfOneProcessFillOneLog() throws {
        let log = try #require(book.claim("a", at: name, uptime: .seconds(5), now: start))
        #expect(book.claim("a", at: ip, uptime: .seconds(5), now: start) == nil, "one feed fills it")
        log.subscriptionEnded(now: start)
        #expect(book.claim("a", at: ip, uptime: .seconds(5), now: start) === log)
        #expect(log.address == ip && book.all.count == 1)
    }

    /// The first ordinal of which a leader without progress answers for.
    private func baseline(uptime: Duration?, after silence: UInt64) throws -> UInt64? {
        let former = try #require(book.claim("former", at: name, uptime: .seconds(9), now: start))
        former.subscriptionEnded(now: start)
        let next = try #require(book.claim("next", at: name, uptime: uptime, now: start + silence))
        next.hear([], counter: 5_000_000)
        return next.baseline
    }

    @Test func aNameThatMovesToAnOldProcessOwesNothingOfItsPast() throws {
        #expect(try baseline(uptime: .seconds(86_400), after: 1_000) == 5_000_000)
    }

    @Test func aServerThatRestartsOwesWhatItAnnouncedMeanwhile() throws {
        #expect(try baseline(uptime: .seconds(3), after: 4_000) == 0)
    }

    /// The same, where the former process becomes known only after the next one was met.
    private func baselineOfOneMetFirst(uptime: Duration?) throws -> UInt64? {
        let next = try #require(book.claim("next", at: ip, uptime: uptime, now: start))
        next.hear([], counter: 7)
        book.learn(of: [HeardProcess(runID: "former", node: "\(ip)")], now: start + 500)
        return next.baseline
    }

    @Test("seed 2053: a replica that begins meets a restarted server before it knows of the process before it")
    func aServerThatWasMetBeforeItsPredecessorWasKnown() throws {
        #expect(try baselineOfOneMetFirst(uptime: .seconds(2)) == 0)
    }

    @Test func anOldProcessThatWasMetFirstOwesNothingOfItsPast() throws {
        #expect(try baselineOfOneMetFirst(uptime: .seconds(60)) == 7)
    }

    private func cluster(_ nodes: [String: NodeAddress], aliases: [NodeAddress: NodeAddress] = [:]) -> Topology {
        let nodes = nodes.map { Topology.Node(id: $0, address: $1, role: .master) }
        return Topology(cluster: nodes, owner: []).reached(by: aliases)
    }

    @Test func aLogGoesWhereItsNodeIsWhileItsFeedStands() throws {
        let log = try #require(book.claim("a", of: "x", at: name, uptime: .seconds(5), now: start))
        let learned = book.log(of: "b", at: name)
        book.follow(cluster(["x": name]))
        #expect(log.address == name)
        book.follow(cluster(["x": ip], aliases: [name: ip]))
        #expect(log.isSubscribed && log.address == ip && log.node == "\(ip)" && log.process.node == "\(ip)")
        #expect(learned.address == ip, "by the alias: which node it was is not known")
        book.follow(cluster(["y": ip]))
        #expect(log.address == ip, "its node is gone")
    }

    @Test func twoNodesThatSwapTheirAddressesKeepTheirLogs() throws {
        let logs = try [("a", "x", name), ("b", "y", ip)].map { run, node, address -> NodeLog in
            try #require(book.claim(run, of: node, at: address, uptime: .seconds(5), now: start))
        }
        book.follow(cluster(["x": ip, "y": name]))
        #expect(logs.map(\.address) == [ip, name])
    }

    @Test func aNodeThatIsStartedElsewhereOwesWhatItAnnouncedMeanwhile() throws {
        let former = try #require(book.claim("former", of: "x", at: name, uptime: .seconds(9), now: start))
        former.subscriptionEnded(now: start)
        book.follow(cluster(["x": ip], aliases: [name: ip]))
        let next = try #require(book.claim("next", of: "x", at: ip, uptime: .seconds(3), now: start + 4_000))
        next.hear([], counter: 40)
        #expect(next.baseline == 0)
    }

    @Test func theProgressOfAnAddressThatIsGoneIsNotNeeded() {
        let progress = [
            "x": Progress(runID: "x", node: "10.0.0.7:6379", base: 0, cursor: Cursor(through: 1), token: 1, write: 1)
        ]
        #expect(book.replaced(progress).isEmpty)
        #expect(book.replaced(progress, isAbsent: { $0 == "10.0.0.7:6379" }) == ["x"])
        book.log(of: "x", at: ip).hear(["k"])
        #expect(book.replaced(progress, isAbsent: { _ in true }).isEmpty, "something of it is kept here")
    }
}

/// Row 65 by a driven clock.
struct AbsentNodesTests {
    private func at(_ host: Int) -> NodeAddress { NodeAddress(host: "10.0.0.\(host)", port: 6379) }

    @Test func tenAddressesLaterOnlyTheLivingOneIsKept() {
        var absent = AbsentNodes(logAge: .seconds(60))
        var kept: Set<NodeAddress> = []
        var now: UInt64 = 1_000_000
        for round in 1...10 {
            for _ in 0..<30 {
                now += 1_000
                kept.insert(at(round))
                kept.subtract(absent.look(present: [at(round)], mentioned: kept, now: now))
            }
        }
        #expect(kept.count == 10, "none has been away for long")
        for _ in 0..<3_600 {
            now += 1_000
            kept.subtract(absent.look(present: [at(10)], mentioned: kept, now: now))
        }
        #expect(kept == [at(10)])
    }

    @Test func aNodeThatReturnsInTimeIsKeptAndAClockMaySetBack() {
        var absent = AbsentNodes(logAge: .seconds(60))
        let patience = absent.patience
        for (present, now) in [
            (true, 5_000_000), (false, 5_000_000 + patience), (true, 5_000_001 + patience), (false, 1_000_000),
        ] {
            let gone = absent.look(present: present ? [at(1)] : [], mentioned: [at(1)], now: now)
            #expect(gone.isEmpty)
        }
        #expect(absent.isAbsent(at(1), now: 1_000_001 + patience))
    }

    @Test(arguments: [(2, 20), (60, 600), (900, 3_000), (7_200, 14_400)])
    func outlastsTheLogsAndWithinAnHourWhereTheyDo(logAge: Int, patience: UInt64) {
        #expect(AbsentNodes(logAge: .seconds(logAge)).patience == patience * 1_000)
    }
}
