import Endpoints
import LeaderElection
import Testing

@testable import LeaderElectionConsul

/// URLs and times, without a server.
@Suite struct ConsulConfigurationTests {
    @Test func urlsName() throws {
        let one = try ConsulConfiguration(url: "consul://consul.example:8500/team/lapse/")
        #expect(one.agents == [.init(host: "consul.example", port: 8500)])
        #expect(one.prefix == "team/lapse" && one.tls == nil && one.token == nil)
        let two = try ConsulConfiguration(url: "consul+tls://a,[::1]:443", password: " secret\n")
        #expect(two.agents == [.init(host: "a", port: 8501), .init(host: "::1", port: 443)])
        #expect(two.prefix == "lapse" && two.tls != nil)
        #expect(two.token == ConsulToken("secret"))
        #expect(try ConsulConfiguration(url: "CONSUL://a:1").agents == [.init(host: "a", port: 1)])
    }

    @Test(arguments: [
        "http://a:8500", "consul:/a", "consul://", "consul:///lapse", "consul://a:0", "consul://a:http",
        "consul://a:8500,",
        "consul://secret@a:8500", "consul://user:secret@a", "consul://a:8500/x?token=secret", "consul://::1:8500",
        "consul://[::1]8500", "consul://a/../secret", "consul://a/x%2fsecret", "consul://a:secret",
    ])
    func badOnesAreNamedAndNotRepeated(_ url: String) {
        let error = #expect(throws: ConsulConfigurationError.self) { try ConsulConfiguration(url: url) }
        #expect(error?.description.isEmpty == false)
        #expect(error?.description.contains("secret") == false)
    }

    @Test func filesBelongTogether() {
        for (url, ca, cert, key) in [
            ("consul://a", "/ca.pem", nil, nil), ("consul+tls://a", "/no/such.pem", nil, nil),
            ("consul+tls://a", nil, "/cert.pem", nil), ("consul+tls://a", nil, nil, "/key.pem"),
        ] as [(String, String?, String?, String?)] {
            #expect(throws: ConsulConfigurationError.self) {
                try ConsulConfiguration(url: url, tls: TLSFiles(authority: ca, certificate: cert, key: key))
            }
        }
        #expect(throws: ConsulConfigurationError.self) { try ConsulConfiguration(url: "consul://a", password: "\n") }
    }

    @Test func theDelayIsTheLeaseAndTheSessionNoShorter() throws {
        func times(_ lease: Duration, delay: Duration? = nil) throws -> SessionTimes {
            let claim = Claim(name: "n", id: "a", value: "a:1", ttl: lease, rules: "")
            return try SessionTimes(claim, lockDelay: delay, shortest: .seconds(10))
        }
        for lease in [1, 8, 10, 15, 60].map(Duration.seconds) {
            let times = try times(lease)
            #expect(times.lockDelay >= lease && times.ttl >= lease && times.ttl >= .seconds(10))
        }
        #expect(throws: ImpossibleTimes.self) { try times(.seconds(61)) }
        #expect(try times(.seconds(61), delay: .seconds(60)).ttl == .seconds(61))
        #expect(throws: ImpossibleTimes.self) { try times(.seconds(86_401), delay: .seconds(60)) }
        #expect(throws: ImpossibleTimes.self) { try times(.seconds(8), delay: .seconds(61)) }
        #expect(Duration.nanoseconds(1_000_001).milliseconds == 2, "rounded up")
    }

    @Test func aLeaseThatConsulCannotKeepIsRefused() async throws {
        let store = try ConsulLeaseStore(configuration: .init(), name: "n", logger: quiet)
        let claim = Claim(name: "n", id: "a", value: "a:1", ttl: .seconds(61), rules: "")
        guard case .refused(let reason, nil) = try await store.registers[0].acquire(claim) else {
            Issue.record("it was not refused")
            return
        }
        #expect(reason.contains("60 s"))
        await store.shutDown()
    }

    @Test func whatWakes() {
        let keys = ConsulKeys(prefix: "p", name: "n")
        func view(_ lock: (String?, [UInt8])?, _ term: String?) -> ElectionView {
            var entries = [ElectionView.Entry(key: keys.term, value: nil, session: term, modifyIndex: 1)]
            if let lock {
                entries.append(.init(key: keys.lock, value: .init(lock.1), session: lock.0, modifyIndex: 2))
            }
            return ElectionView(keys: keys, entries: entries)
        }
        let held = view(("s", [1]), "s")
        let cases: [(ElectionView, ElectionView, WakeUp?)] = [
            (held, held, nil), (held, view((nil, []), nil), .released), (held, view((nil, [1]), nil), .lapsed),
            (held, view(nil, "s"), .lapsed), (held, view(("s", [1]), nil), .lapsed),
            (held, view(("t", [1]), "t"), .lapsed), (view((nil, []), nil), held, nil),
            (view(nil, "s"), view(nil, nil), .lapsed),
        ]
        for (old, new, expected) in cases { #expect(ElectionWatch.wakeUp(from: old, to: new) == expected) }
    }
}
