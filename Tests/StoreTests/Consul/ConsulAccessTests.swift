import Endpoints
import FoundationEssentials
import LeaderElection
import Testing
import ThrowawayRedis
import ThrowawayStores

@testable import LeaderElectionConsul

/// Who may ask Consul, and over what: tokens, TLS, several agents.
@Suite(.serialized, .timeLimit(.minutes(5)), .enabled(if: ThrowawayConsul.isInstalled))
struct ConsulAccessTests {
    /// Goes through a whole claim over a configuration.
    private func useOnce(_ configuration: ConsulConfiguration) async throws {
        let name = StoreStage.name()
        let store = try ConsulLeaseStore(configuration: configuration, name: name, logger: quiet)
        let outcome: Result<Void, any Error>
        do {
            let register = store.registers[0]
            let claim = Claim(name: name, id: "a", value: "a:\(name)", ttl: .seconds(10), rules: "rules")
            guard case .granted(let vote) = try await register.acquire(claim) else {
                throw GaveUp(description: "not granted")
            }
            let token = FencingToken(rawValue: vote.counter)
            #expect(try await register.confirm(claim, token: token, term: 1))
            #expect(try await register.renew(claim, token: token, term: 1, heal: false) == .renewed)
            try await register.release(claim, wake: true)
            #expect(try await register.observe(name).holder == nil)
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        await store.shutDown()
        try outcome.get()
    }

    /// What an operator would read; fails if it is not a refusal.
    private func refusal(_ configuration: ConsulConfiguration) async throws -> String {
        do {
            try await useOnce(configuration)
            throw GaveUp(description: "it was let in")
        } catch let error as RegisterError {
            guard let text = error.detail(of: .denied) else { throw error }
            return text
        }
    }

    private func with(
        _ options: ThrowawayConsul.Options, _ work: (ThrowawayConsul) async throws -> Void
    ) async throws {
        let consul = try await ThrowawayConsul.start(options)
        let outcome: Result<Void, any Error>
        do { outcome = .success(try await work(consul)) } catch { outcome = .failure(error) }
        await consul.shutDown()
        try outcome.get()
    }

    @Test func aTokenNeedsTwoRightsAndIsNeverShown() async throws {
        var options = ThrowawayConsul.Options()
        options.managementToken = "11111111-2222-3333-4444-555555555555"
        try await with(options) { consul in
            func token(_ name: String, _ rules: String) async throws -> String {
                try await consul.command("acl policy create", ["-name", name, "-rules", rules])
                let text = try await consul.command("acl token create", ["-policy-name", name])
                let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("SecretID:") })
                return String(try #require(line.split(separator: " ").last))
            }
            func url(_ token: String?) throws -> ConsulConfiguration {
                try ConsulConfiguration(url: "consul://127.0.0.1:\(consul.port)/team/lapse", password: token)
            }
            let sessions = #"session_prefix "" { policy = "write" }"#
            let enough = try await token("enough", #"key_prefix "team/lapse/" { policy = "write" }"# + "\n" + sessions)
            try await useOnce(try url(enough + "\n"))

            let reader = try await token("reader", #"key_prefix "team/lapse/" { policy = "read" }"# + "\n" + sessions)
            let elsewhere = try await token("elsewhere", #"key_prefix "other/" { policy = "write" }"# + "\n" + sessions)
            let keysOnly = try await token("keys", #"key_prefix "team/lapse/" { policy = "write" }"#)
            let unknown = "99999999-2222-3333-4444-555555555555"
            for secret in [reader, elsewhere, keysOnly, unknown, nil] {
                let text = try await refusal(try url(secret))
                #expect(text.contains("token"), "\(text)")
                if let secret { #expect(!text.contains(secret)) }
            }
            var shown = ""
            dump(try url(enough), to: &shown)
            shown += "\(try url(enough))" + String(reflecting: try url(enough))
            #expect(!shown.contains(enough))
        }
    }

    @Test func certificatesAreCheckedBothWays() async throws {
        let certificates = try await ThrowawayCertificates.make()
        let others = try await ThrowawayCertificates.make()
        var options = ThrowawayConsul.Options()
        options.tls = certificates.tls(requiresClientCertificate: true)
        try await with(options) { consul in
            let url = "consul+tls://127.0.0.1:\(consul.port)/lapse"
            func configuration(
                _ authority: ThrowawayCertificates, client: ThrowawayCertificates.Pair?
            ) throws -> ConsulConfiguration {
                try ConsulConfiguration(
                    url: url,
                    tls: TLSFiles(
                        authority: authority.authority.certificate.path, certificate: client?.certificate.path,
                        key: client?.key.path))
            }
            try await useOnce(try configuration(certificates, client: certificates.client))
            #expect(try await refusal(try configuration(others, client: certificates.client)).contains("not trusted"))
            #expect(try await refusal(try configuration(certificates, client: nil)).contains("client certificate"))
            #expect(
                try await refusal(try configuration(certificates, client: others.client))
                    .contains("client certificate"))
            #expect(
                try await refusal(try ConsulConfiguration(url: "consul://127.0.0.1:\(consul.port)")).contains(
                    "consul+tls"))
        }
        options.tls = certificates.tls(certificates.wrongName)
        options.tls?.requiresClientCertificate = false
        // The command line of Consul would not trust it either, so this server is asked without waiting for
        // it.
        let wrong = try await ThrowawayConsul.startUnchecked(options)
        let configuration = try ConsulConfiguration(
            url: "consul+tls://127.0.0.1:\(wrong.port)",
            tls: TLSFiles(authority: certificates.authority.certificate.path))
        let store = try ConsulLeaseStore(configuration: configuration, name: "test", logger: quiet)
        var text = ""
        try await eventually("it answers") {
            do throws(RegisterError) {
                _ = try await store.registers[0].observe("test")
                return true
            } catch {
                guard let detail = error.detail(of: .denied) else { return false }
                text = detail
                return true
            }
        }
        #expect(text.contains("another name"), "\(text)")
        await store.shutDown()
        await wrong.shutDown()
    }

    @Test func plainHTTPIsToldApart() async throws {
        try await StoreStage.with(ConsulUnderTest(), shared: true) { stage in
            let text = try await refusal(try ConsulConfiguration(url: "consul+tls://127.0.0.1:\(stage.server.port)"))
            #expect(text.contains("does not speak TLS"), "\(text)")
        }
    }

    /// It accepts connections and answers nothing. Requests end by their own time, or the elector cancels
    /// them before.
    @Test(arguments: [Duration.seconds(1), .seconds(300)])
    func anotherAgentIsAskedWhenOneIsFrozen(requestTimeout: Duration) async throws {
        try await StoreStage.with(ConsulUnderTest(), shared: true) { stage in
            let name = StoreStage.name()
            let frozen = try await stage.proxy()
            try await frozen.set(.blackHole)
            let store = try ConsulLeaseStore(
                configuration: .init(
                    agents: [.init(port: frozen.port), .init(port: stage.server.port)],
                    shortestSession: .milliseconds(1500), requestTimeout: requestTimeout),
                name: name, logger: quiet)
            let rivals = Rivals()
            let outcome: Result<Void, any Error>
            do {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await rivals.join("a", store, name: name, lease: .seconds(4)) }
                    try await eventually("it leads by the other agent") { rivals.leads("a") }
                    group.cancelAll()
                }
                outcome = .success(())
            } catch {
                outcome = .failure(error)
            }
            await store.shutDown()
            try outcome.get()
        }
    }

    @Test func anotherAgentIsAskedWhenOneIsGone() async throws {
        try await StoreStage.with(ConsulUnderTest(), shared: true) { stage in
            let name = StoreStage.name()
            let gone = try await FaultProxy.start(to: stage.server.port)
            let store = try ConsulLeaseStore(
                configuration: .init(
                    agents: [.init(port: gone.port), .init(port: stage.server.port)],
                    shortestSession: .milliseconds(1500)), name: name, logger: quiet)
            let register = store.registers[0]
            let claim = stage.claim(name, "a")
            let vote = try await stage.take(register, claim)
            await gone.shutDown()
            let token = FencingToken(rawValue: vote.counter)
            try await eventually("the other agent renews the same session") {
                (try? await register.renew(claim, token: token, term: 1, heal: false)) == .renewed
            }
            #expect(register.label.hasPrefix("127.0.0.1:\(stage.server.port)/"))
            try await register.release(claim, wake: false)
            await store.shutDown()
        }
    }
}
