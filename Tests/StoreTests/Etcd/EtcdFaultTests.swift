import Endpoints
import Foundation
import LeaderElection
import NIOPosix
import NIOSSL
import Testing
import ThrowawayRedis
import ThrowawayStores

@testable import LeaderElectionEtcd

/// Row 20, and what only etcd does.
@Suite(.serialized, .timeLimit(.minutes(10)), .enabled(if: ThrowawayEtcd.isInstalled, "etcd is not installed"))
struct EtcdFaultTests {
    private let kind = EtcdUnderTest()

    private func store(_ endpoints: [Int], _ name: String, _ change: (inout EtcdConfiguration) -> Void = { _ in })
        -> EtcdLeaseStore
    {
        var configuration = EtcdConfiguration(endpoints: endpoints.map { .init(host: "127.0.0.1", port: $0) })
        change(&configuration)
        return EtcdLeaseStore(configuration: configuration, name: name, logger: quiet)
    }

    private func with<Result>(
        _ servers: [ThrowawayEtcd], _ store: EtcdLeaseStore, _ work: (any LeaseRegister) async throws -> Result
    ) async throws -> Result {
        let outcome: Swift.Result<Result, any Error>
        do { outcome = .success(try await work(store.registers[0])) } catch { outcome = .failure(error) }
        await store.shutDown()
        for server in servers { await server.shutDown() }
        return try outcome.get()
    }

    private func claim(_ name: String, _ id: String, ttl: Duration = .seconds(5)) -> Claim {
        Claim(name: name, id: id, value: "\(id):\(UUID().uuidString)", ttl: ttl, rules: "r")
    }

    /// Revoked by an operator: the lock is gone with it, the leader says so, and leads again.
    @Test func aRevokedLeaseIsNoPhantomLeader() async throws {
        try await StoreStage.with(kind) { stage in
            let chronicle = Chronicle()
            let replica = try await stage.replica("a", of: "x", chronicle)
            try await stage.electing([replica]) {
                _ = try await stage.leader(of: [replica])
                try await stage.server.revokeAllLeases()
                try await eventually("it leads again") { chronicle.tokens.count == 2 }
            }
            #expect(replica.saw { if case .ended(_, .lost) = $0 { true } else { false } })
            #expect(chronicle.tokensGrow && chronicle.overlap == nil)
            #expect(try await stage.server.leases() == 0)
        }
    }

    /// The lease of a claim is revoked between its grant and the vote: the vote is refused, whichever
    /// replica waited meanwhile.
    @Test func aLeaseRevokedWhileWaitingGetsNoVote() async throws {
        try await StoreStage.with(kind) { stage in
            let proxy = try await stage.proxy()
            try await with([], store([proxy.port], "x") { $0.requestTimeout = .seconds(60) }) { register in
                _ = try await register.observe("x")
                // The reply to the grant is held up, so the lease is revoked before the transaction is sent.
                try await proxy.set(.delay(.seconds(3)))
                let mine = stage.claim("x", "a")
                async let reply = register.acquire(mine)
                try await eventually("the lease is granted") { try await stage.server.leases() == 1 }
                try await stage.server.revokeAllLeases()
                guard case .refused = try await reply else {
                    Issue.record("it was granted without a lease")
                    return
                }
                try await proxy.set(.pass)
                #expect(try await register.observe("x").holder == nil)
            }
        }
    }

    /// History is compacted away from under a watch: it says that the lock may have ended, and goes on from
    /// there.
    @Test func aCompactionCostsNoWakeUp() async throws {
        let server = try await ThrowawayEtcd.start()
        let gateway = EtcdGateway(
            EtcdConfiguration(endpoints: [.init(host: "127.0.0.1", port: server.port)]),
            on: MultiThreadedEventLoopGroup.singleton, logger: quiet)
        let watch = EtcdWatch(gateway: gateway, key: EtcdKeys(prefix: "/lapse", name: "x").lock, logger: quiet)
        try await with([server], store([server.port], "x")) { register in
            try await Self.takeAndGiveBack(register, until: watch)
            // No watch listens; the lock comes and goes, and all history of it is dropped.
            for _ in 0..<3 { try await Self.takeAndGiveBack(register) }
            let now = try await gateway.call(.range, WireRange(key: Data("k".utf8)), WireRangeReply.self)
            try await server.control("compaction", "\(now.header?.revision?.value ?? 0)")
            #expect(await watch.next() == .lapsed)
            try await Self.takeAndGiveBack(register, until: watch)
            await gateway.shutDown()
        }
    }

    private static func takeAndGiveBack(_ register: any LeaseRegister) async throws {
        let mine = Claim(name: "x", id: "a", value: "a:\(UUID().uuidString)", ttl: .seconds(5), rules: "r")
        guard case .granted = try await register.acquire(mine) else { throw GaveUp(description: "not granted") }
        try await register.release(mine, wake: true)
    }

    /// Again and again, until the watch has heard of it.
    private static func takeAndGiveBack(_ register: any LeaseRegister, until watch: EtcdWatch) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { #expect(await watch.next() == .lapsed) }
            group.addTask { while !Task.isCancelled { try await takeAndGiveBack(register) } }
            try await group.next()
            group.cancelAll()
            // The loop may be cut off in the middle of a claim.
            while let result = await group.nextResult() { _ = result }
        }
        try await eventually("the register is free") {
            do { try await takeAndGiveBack(register) } catch { return false }
            return true
        }
    }

    /// etcd's own leader is stopped for longer than the lease, with three members: never two leaders, and
    /// one again.
    @Test func anotherMemberLeadsEtcd() async throws {
        let members = try await ThrowawayEtcd.startCluster(3)
        let ports = members.map(\.port)
        let chronicle = Chronicle()
        let stores = [store(ports, "x"), store(ports.reversed(), "x")]
        var replicas: [Replica] = []
        for (index, store) in stores.enumerated() {
            let elector = try Elector(
                store: store, configuration: .init(name: "x", id: "r\(index)", leaseTTL: .seconds(4)), logger: quiet)
            replicas.append(Replica(id: "r\(index)", elector: elector, store: store, chronicle: chronicle))
        }
        let all = replicas
        let stage = StoreStage(kind: kind, server: Nowhere())
        try await stage.electing(all) {
            for _ in 0..<3 {
                _ = try await stage.leader(of: all)
                var old: ThrowawayEtcd?
                for member in members where try await member.isEtcdLeader() { old = member }
                let frozen = try #require(old)
                frozen.freeze()
                try await eventually("etcd has another leader") {
                    for member in members where member.port != frozen.port {
                        if (try? await member.isEtcdLeader()) == true { return true }
                    }
                    return false
                }
                _ = try await stage.leader(of: all)
                frozen.resume()
                _ = try await stage.leader(of: all)
            }
        }
        #expect(chronicle.overlap == nil)
        #expect(chronicle.tokensGrow)
        for store in stores { await store.shutDown() }
        for member in members { await member.shutDown() }
    }

    @Test func theNextEndpointIsAsked() async throws {
        let members = try await ThrowawayEtcd.startCluster(3)
        try await with(members, store(members.map(\.port), "x")) { register in
            let mine = claim("x", "a", ttl: .seconds(60))
            guard case .granted(let vote) = try await register.acquire(mine) else {
                throw GaveUp(description: "not granted")
            }
            let token = FencingToken(rawValue: vote.counter)
            let first = register.label
            await members[0].kill()
            try await eventually("renewed at another member") {
                (try? await register.renew(mine, token: token, term: 1, heal: false)) == .renewed
            }
            #expect(register.label != first)
            members[1].freeze()
            try await members[0].start()
            try await eventually("renewed at the last member") {
                (try? await register.renew(mine, token: token, term: 1, heal: false)) == .renewed
            }
            #expect(try await register.acquire(mine) == .granted(Vote(counter: vote.counter, term: 1)))
            members[1].resume()
        }
    }

    @Test func logsInAndAgainWhenTheTokenIsGone() async throws {
        let server = try await ThrowawayEtcd.start()
        try await server.requireLogin(user: "ann", password: "geheim", prefix: "/lapse/")
        let mine = claim("x", "a", ttl: .seconds(60))
        let good = store([server.port], "x") {
            $0.user = "ann"
            $0.password = "geheim"
        }
        let refused: [(EtcdLeaseStore, String)] = [
            (store([server.port], "x"), "user"),
            (
                store([server.port], "x") {
                    $0.user = "ann"
                    $0.password = "wrong-secret"
                }, "password"
            ),
            (
                store([server.port], "x") {
                    $0.user = "ann"
                    $0.password = "geheim"
                    $0.prefix = "/elsewhere"
                }, "grant-permission"
            ),
        ]
        for (store, word) in refused {
            // A busy machine may take too long for a login, which says nothing of the rights.
            var error: RegisterError?
            for _ in 0..<10 where error?.detail(of: .denied) == nil {
                error = await #expect(throws: RegisterError.self) { _ = try await store.registers[0].acquire(mine) }
            }
            await store.shutDown()
            let text = error?.detail(of: .denied) ?? ""
            #expect(text.contains(word), "\(String(describing: error))")
            #expect(!text.contains("wrong-secret") && !text.contains("geheim"))
        }
        try await with([server], good) { register in
            guard case .granted(let vote) = try await register.acquire(mine) else {
                throw GaveUp(description: "not granted")
            }
            let token = FencingToken(rawValue: vote.counter)
            // Simple tokens live in the server's memory: after a restart the old one is worth nothing.
            await server.kill()
            try await server.start(user: "ann:geheim")
            #expect(try await register.renew(mine, token: token, term: 1, heal: false) == .renewed)
            // Any change of users makes old tokens too old.
            try await server.control("user", "add", "bob:pass", user: "root:root")
            #expect(try await register.renew(mine, token: token, term: 2, heal: false) == .renewed)
            try await register.release(mine, wake: false)
            #expect(try await server.leases(user: "root:root") == 0)
        }
    }

    @Test func speaksTLSAndNamesAMistake() async throws {
        let certificates = try await ThrowawayCertificates.make()
        let server = try await ThrowawayEtcd.start(tls: certificates)
        let stranger = store([server.port], "x") { $0.tls = TLSFiles() }
        let error = await #expect(throws: RegisterError.self) { _ = try await stranger.registers[0].observe("x") }
        guard let text = error?.detail(of: .denied) else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(text.contains("TLS") && text.contains("\(server.port)"))
        await stranger.shutDown()
        let trusted = TLSFiles(authority: certificates.authority.certificate.path)
        try await with([server], store([server.port], "x") { $0.tls = trusted }) { register in
            let mine = claim("x", "a")
            guard case .granted = try await register.acquire(mine) else { throw GaveUp(description: "not granted") }
            #expect(try await register.observe("x").holder == mine.value)
        }
    }

    /// A gateway under another path than expected is found, and etcd's own "not found" is not taken for it.
    @Test func findsTheOtherPath() async throws {
        let server = try await ThrowawayEtcd.start()
        let gateway = EtcdGateway(
            EtcdConfiguration(endpoints: [.init(host: "127.0.0.1", port: server.port)]),
            on: MultiThreadedEventLoopGroup.singleton, logger: quiet, first: .v3beta)
        for _ in 0..<2 {
            let reply = try await gateway.call(.range, WireRange(key: Data("k".utf8)), WireRangeReply.self)
            #expect(reply.header?.revision?.value == 1)
            let error = await #expect(throws: EtcdFailure.self) {
                _ = try await gateway.call(.revoke, WireLease(id: WireNumber(7)), WireLeaseReply.self)
            }
            #expect(error?.isLeaseNotFound == true)
        }
        await gateway.shutDown()
        await server.shutDown()
    }
}

/// For tests that bring servers of their own.
private struct Nowhere: StoreServer {
    let port = 0
    func makeStore(name: String, port: Int?) async throws -> any LeaseStore { throw GaveUp(description: "no server") }
    func pause() async {}
    func resume() async {}
    func kill() async {}
    func restart() async throws {}
    func deleteLock(_ name: String) async throws {}
    func leases() async throws -> Int? { nil }
    func shutDown() async {}
}

extension StoreServer {
    /// As an operator would, with etcdctl.
    fileprivate func revokeAllLeases() async throws {
        guard let etcd = self as? EtcdStoreServer else { return }
        for line in try await etcd.server.control("lease", "list").split(separator: "\n")
        where !line.hasPrefix("found") {
            try await etcd.server.control("lease", "revoke", String(line))
        }
    }
}
