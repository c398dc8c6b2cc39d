import AsyncHTTPClient
import Foundation
import LeaderElection
import NIOCore
import NIOHTTP1
import Testing
import ThrowawayStores

/// The faults of the etcd program that is usually copied. Each check is shown to fail on the article's
/// logic first.
@Suite(.serialized, .timeLimit(.minutes(5)), .enabled(if: ThrowawayEtcd.isInstalled, "etcd is not installed"))
struct EtcdLeaseFaultTests {
    /// A lease (and a keep-alive stream) for every attempt, never revoked.
    @Test func aLeaseIsLeftAtEachAttempt() async throws {
        try await StoreStage.with(EtcdUnderTest()) { stage in
            let register = try await stage.register("x")
            let leaky = LeakyRegister(port: stage.server.port)
            let count = Leases(server: stage.server)
            try await stage.holding(register, stage.claim("x", "holder")) {
                let before = try await count()
                for index in 0..<40 { _ = try await register.acquire(stage.claim("x", "r\(index)")) }
                #expect(try await count() == before, "ours stays flat")
                for _ in 0..<40 { #expect(try await !leaky.acquire("/lapse/x/lock")) }
                #expect(try await count() == before + 40, "the check sees the article's leak")
            }
        }
    }

    /// The program revokes nothing on the way out: the next leader waits for the lease to run out.
    @Test func theLeaseIsNeverRevoked() async throws {
        try await StoreStage.with(EtcdUnderTest()) { stage in
            let count = Leases(server: stage.server)
            let register = try await stage.register("x")
            let mine = stage.claim("x", "a", ttl: .seconds(600))
            _ = try await stage.take(register, mine)
            try await register.release(mine, wake: true)
            #expect(try await count() == 0)
            #expect(try await register.observe("x").holder == nil)
            let leaky = LeakyRegister(port: stage.server.port)
            #expect(try await leaky.acquire("/lapse/x/lock"))
            // The article's program returns without a revoke.
            #expect(try await count() == 1)
            #expect(try await register.observe("x").holder == "leaky")
        }
    }

    /// After the loss the channel of keep-alives gives nil for ever: the article loops on it and still says
    /// it leads.
    @Test func nilKeepAlivesSpinForEver() async throws {
        try await StoreStage.with(EtcdUnderTest()) { stage in
            let register = try await stage.register("x")
            let mine = stage.claim("x", "a")
            let token = FencingToken(rawValue: try await stage.take(register, mine).counter)
            let leaky = LeakyRegister(port: stage.server.port)
            #expect(try await leaky.acquire("/other/lock"))
            try await stage.server.deleteLock("x")
            #expect(try await register.renew(mine, token: token, term: 1, heal: false) == .lost(holder: nil))
            try await leaky.revokeLast()
            // It spins through any number of nils without a word.
            for _ in 0..<100 { #expect(try await leaky.stillLeadsAfterKeepAlive()) }
            let chronicle = Chronicle()
            let replica = try await stage.replica("b", of: "y", chronicle)
            try await stage.electing([replica]) {
                _ = try await stage.leader(of: [replica])
                try await stage.server.deleteLock("y")
                try await eventually("ours ends the term and campaigns again") { chronicle.tokens.count == 2 }
            }
        }
    }

    private struct Leases: Sendable {
        let server: any StoreServer
        func callAsFunction() async throws -> Int { try await server.leases() ?? -1 }
    }
}

/// The article's logic: grant, put if absent, never revoke, and take the absence of a keep-alive for
/// nothing.
private actor LeakyRegister {
    let port: Int
    private var lease: Int64 = 0

    init(port: Int) { self.port = port }

    func acquire(_ key: String) async throws -> Bool {
        lease = Int64.random(in: 1 ... .max)
        _ = try await post("lease/grant", ["ID": "\(lease)", "TTL": "60"])
        let key = Data(key.utf8).base64EncodedString()
        let put = ["key": key, "value": Data("leaky".utf8).base64EncodedString(), "lease": "\(lease)"]
        let reply = try await post(
            "kv/txn",
            [
                "compare": [["key": key, "target": "CREATE", "result": "EQUAL", "create_revision": "0"]],
                "success": [["request_put": put]],
            ])
        return reply["succeeded"] as? Bool ?? false
    }

    /// `leaseKeepAliveResponse == nil` prints a line and goes on.
    func stillLeadsAfterKeepAlive() async throws -> Bool {
        let reply = try await post("lease/keepalive", ["ID": "\(lease)"])
        let isNil = (reply["result"] as? [String: Any])?["TTL"] == nil
        return isNil
    }

    func revokeLast() async throws { _ = try await post("lease/revoke", ["ID": "\(lease)"]) }

    private func post(_ path: String, _ body: [String: Any]) async throws -> [String: Any] {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)/v3/\(path)")
        request.method = .POST
        request.body = .bytes(ByteBuffer(bytes: try JSONSerialization.data(withJSONObject: body)))
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(10))
        let bytes = try await response.body.collect(upTo: 1 << 20)
        return try JSONSerialization.jsonObject(with: Data(bytes.readableBytesView)) as? [String: Any] ?? [:]
    }
}
