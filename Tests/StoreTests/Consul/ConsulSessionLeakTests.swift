import LeaderElection
import Testing
import ThrowawayStores

@testable import LeaderElectionConsul

/// The faults of the Consul program that is usually copied: each check passes for the register, and
/// fails for the article's logic.
@Suite(.serialized, .timeLimit(.minutes(5)), .enabled(if: ThrowawayConsul.isInstalled))
struct ConsulSessionLeakTests {
    /// The article's logic: its options for the session leave the TTL out, an attempt that is lost forgets
    /// its session, and a task that is cancelled returns without a word to Consul.
    private struct LeakyProgram {
        let consul: ConsulOperator
        let id: String
        let key: String

        func attempt() async throws -> Bool {
            let session = try await consul.createSession(#"{"Name":"\#(id)","NodeChecks":["serfHealth"]}"#)
            return try await consul.acquire(key, session: session)
        }

        func leadUntilCancelled() async throws {
            guard try await attempt() else { return }
            while !Task.isCancelled { try? await Task.sleep(for: .milliseconds(5)) }
        }
    }

    private func stage(_ work: (StoreStage, ConsulOperator, String) async throws -> Void) async throws {
        try await StoreStage.with(ConsulUnderTest(), shared: true) { stage in
            let server = try #require(stage.server as? ConsulStoreServer)
            try await work(stage, ConsulOperator(server.consul), StoreStage.name())
        }
    }

    private func sessions(of id: String, _ consul: ConsulOperator) async throws -> [ConsulOperator.Session] {
        try await consul.sessions().filter { $0.name.hasPrefix(id) }
    }

    @Test func aSessionWithoutTTLOutlivesItsOwner() async throws {
        try await stage { stage, consul, name in
            /// Ends by itself, and then holds the lock back for the lease.
            func isBounded(_ session: ConsulOperator.Session) -> Bool { !session.ttl.isEmpty && session.ttl != "0s" }

            let leaky = LeakyProgram(consul: consul, id: "leaky-\(name)", key: "leaky/\(name)")
            #expect(try await leaky.attempt())
            let leaked = try #require(try await sessions(of: leaky.id, consul).first)
            #expect(!isBounded(leaked))
            try await consul.destroySession(leaked.id)

            let id = "own-\(name)"
            let claim = stage.claim(name, id)
            _ = try await stage.take(try await stage.register(name), claim)
            let session = try #require(try await sessions(of: id, consul).first)
            #expect(isBounded(session) && session.behavior == "release")
            #expect(session.lockDelay == claim.ttl.milliseconds * 1_000_000)
            try await eventually("it ends by itself") { try await sessions(of: id, consul).isEmpty }
        }
    }

    @Test func aCancelledLeaderKeepsTheLock() async throws {
        try await stage { stage, consul, name in
            func isFree(_ key: String) async throws -> Bool { try await consul.key(key)?.session == nil }

            let leaky = LeakyProgram(consul: consul, id: "leaky-\(name)", key: "leaky/\(name)")
            let old = Task { try await leaky.leadUntilCancelled() }
            try await eventually("the article leads") { try await !isFree(leaky.key) }
            old.cancel()
            try await old.value
            #expect(try await !isFree(leaky.key))
            for session in try await sessions(of: leaky.id, consul) { try await consul.destroySession(session.id) }

            let rivals = Rivals()
            let id = "own-\(name)"
            let lock = ConsulKeys(prefix: "lapse", name: name).lock
            let store = try await stage.store(name)
            let own = Task { try await rivals.join(id, store, name: name, lease: .seconds(8)) }
            try await eventually("it leads") { rivals.leads(id) }
            #expect(try await !isFree(lock))
            own.cancel()
            try await own.value
            #expect(try await isFree(lock))
            #expect(try await sessions(of: id, consul).isEmpty)
        }
    }

    @Test func everyLostAttemptLeavesASession() async throws {
        try await stage { stage, consul, name in
            let attempts = 30
            let id = "own-\(name)"
            let register = try await stage.register(name)
            try await stage.holding(register, stage.claim(name, "holder-\(name)")) {
                let leaky = LeakyProgram(
                    consul: consul, id: "leaky-\(name)", key: ConsulKeys(prefix: "lapse", name: name).lock)
                for _ in 0..<attempts { #expect(try await !leaky.attempt()) }
                let leaked = try await sessions(of: leaky.id, consul)
                #expect(leaked.count == attempts)
                for session in leaked { try await consul.destroySession(session.id) }

                let rival = try await stage.register(name)
                for _ in 0..<attempts {
                    guard case .held = try await rival.acquire(stage.claim(name, id)) else {
                        Issue.record("an attempt was not lost")
                        return
                    }
                    #expect(try await sessions(of: id, consul).isEmpty)
                }
            }
        }
    }

    /// Neither while the lock delay runs, when there is nothing to see but the refusal.
    @Test func attemptsDuringTheDelayLeaveNoSession() async throws {
        try await stage { stage, consul, name in
            let register = try await stage.register(name)
            _ = try await stage.take(register, stage.claim(name, "holder-\(name)", ttl: .seconds(20)))
            let held = try #require(try await consul.key(ConsulKeys(prefix: "lapse", name: name).lock)?.session)
            try await consul.destroySession(held)
            for _ in 0..<10 {
                guard
                    case .refused(let reason, let wait?) = try await register.acquire(stage.claim(name, "own-\(name)"))
                else {
                    Issue.record("the delay was not respected")
                    return
                }
                #expect(reason.contains("lock delay") && wait > .zero)
                #expect(try await sessions(of: "own-\(name)", consul).isEmpty)
            }
        }
    }

    /// A session that was made though its answer never came is found again, used or ended.
    @Test func anUnansweredSessionIsFoundAgain() async throws {
        try await stage { stage, consul, name in
            let proxy = try await stage.proxy()
            let register = try await stage.register(name, through: proxy)
            for isRetried in [true, false] {
                let id = "own-\(isRetried)-\(name)"
                let claim = stage.claim(name, id)
                // The keys are read; the session is made, and its answer lost.
                try await proxy.set(.cut(afterReplies: 1))
                await #expect(throws: RegisterError.self) { try await register.acquire(claim) }
                #expect(try await sessions(of: id, consul).count == 1)
                if isRetried {
                    _ = try await stage.take(register, claim)
                    #expect(try await sessions(of: id, consul).count == 1)
                }
                try await register.release(claim, wake: false)
                #expect(try await sessions(of: id, consul).isEmpty)
                #expect(try await register.observe(name).holder == nil)
            }
        }
    }
}
