import LeaderElection
import Testing
import ThrowawayRedis

extension RegisterTests {
    @Test func aYoungServerRefusesAndLaterGrants() async throws {
        try await Self.withPlace { place in
            let claim = Self.claim("a", ttl: .seconds(2))
            guard case .refused(let reason, let wait) = try await place.register.acquire(claim) else {
                Issue.record("a server younger than the lease may have forgotten a vote")
                return
            }
            #expect(reason.contains("younger"))
            #expect(try #require(wait) > .zero && #require(wait) <= .seconds(3))
            let lock = try await place.text("EXISTS", place.lock)
            #expect(lock == "0")
            try await waitUntil("it grants", within: .seconds(15)) {
                if case .granted = try await place.register.acquire(claim) { nil } else { "it refuses" }
            }
        }
    }

    @Test func oneHoldsItAndARetryOfTheSameIsGranted() async throws {
        try await Self.withPlace { place in
            let mine = Self.claim("a")
            let vote = try await Self.take(place.register, mine)
            #expect(vote.counter > 1_600_000_000_000, "at least the server's time: a lost counter restarts above")
            #expect(vote.term == 0)
            _ = try await place.text("PEXPIRE", place.lock, "5000")
            let again = try await place.register.acquire(mine)
            #expect(again == .granted(vote), "no new counter")
            let left = try #require(Int(try await place.text("PTTL", place.lock) ?? ""))
            #expect(left > 5_000, "the TTL starts anew")

            let rival = Self.claim("b")
            guard case .held(let holder, let ttl) = try await place.register.acquire(rival) else {
                Issue.record("two hold one register")
                return
            }
            #expect(holder == mine.value)
            #expect(try #require(ttl) > .seconds(5))
            let seen = try await place.register.observe("test")
            #expect(seen.holder == mine.value)
            #expect(seen.leader == "a")
            #expect(seen.token.rawValue == vote.counter)
        }
    }

    @Test func aRenewalNeverExtendsARivalsLock() async throws {
        try await Self.withPlace { place in
            let mine = Self.claim("a")
            let vote = try await Self.take(place.register, mine)
            let token = FencingToken(rawValue: vote.counter)
            _ = try await place.text("PEXPIRE", place.lock, "5000")
            let renewed = try await place.register.renew(mine, token: token, term: 1, heal: false)
            #expect(renewed == .renewed)
            let long = try #require(Int(try await place.text("PTTL", place.lock) ?? ""))
            #expect(long > 5_000)

            _ = try await place.text("SET", place.lock, "rival:1", "PX", "20000")
            for heal in [false, true] {
                let lost = try await place.register.renew(mine, token: token, term: 1, heal: heal)
                #expect(lost == .lost(holder: "rival:1"))
            }
            let left = try #require(Int(try await place.text("PTTL", place.lock) ?? ""))
            #expect(left <= 20_000, "an EXPIRE without a look at the owner would have given it a minute")
            let holder = try await place.text("GET", place.lock)
            #expect(holder == "rival:1")
        }
    }

    @Test func aReleaseDeletesOnesOwnAndTellsOnce() async throws {
        try await Self.withPlace { place in
            func published() async throws -> String {
                let stats = try await place.server.cli("INFO", "commandstats")
                let line = stats.split(whereSeparator: \.isNewline).first { $0.hasPrefix("cmdstat_publish:calls=") }
                return line.map { String($0.dropFirst(22).prefix { $0 != "," }) } ?? "0"
            }
            let mine = Self.claim("a")
            _ = try await Self.take(place.register, mine)
            try await place.register.release(Self.claim("b"), wake: true)
            let held = try await place.text("GET", place.lock)
            #expect(held == mine.value, "a rival's lock is not touched")
            let silent = try await published()
            #expect(silent == "0")
            try await place.register.release(mine, wake: true)
            let gone = try await place.text("EXISTS", place.lock)
            #expect(gone == "0")
            try await place.register.release(mine, wake: true)
            let told = try await published()
            #expect(told == "1", "what was not there is not announced")
            _ = try await Self.take(place.register, mine)
            try await place.register.release(mine, wake: false)
            let still = try await published()
            #expect(still == "1")
        }
    }

    @Test func healingTakesAnEmptyRegisterOnly() async throws {
        try await Self.withPlace { place in
            let mine = Self.claim("a")
            let token = FencingToken(rawValue: try await Self.take(place.register, mine).counter + 7)
            _ = try await place.text("DEL", place.lock)
            let lost = try await place.register.renew(mine, token: token, term: 3, heal: false)
            #expect(lost == .lost(holder: nil))
            let healed = try await place.register.renew(mine, token: token, term: 3, heal: true)
            #expect(healed == .renewed)
            let seen = try await place.register.observe("test")
            #expect(seen.holder == mine.value)
            #expect(seen.token == token)
            #expect(seen.term == 3)
            #expect(try #require(seen.ttl) > .seconds(5), "it has a TTL")
        }
    }

    @Test func aConfirmationRaisesAndNeverLowers() async throws {
        try await Self.withPlace { place in
            let mine = Self.claim("a")
            let counter = try await Self.take(place.register, mine).counter
            func confirm(_ token: UInt64, _ term: UInt64, _ claim: Claim) async throws -> Bool {
                try await place.register.confirm(claim, token: FencingToken(rawValue: token), term: term)
            }
            let high = try await confirm(counter + 100, 9, mine)
            let low = try await confirm(counter + 5, 4, mine)
            let rival = try await confirm(counter + 900, 90, Self.claim("b"))
            #expect([high, low, rival] == [true, true, false])
            let seen = try await place.register.observe("test")
            // A counter may be raised whichever replica holds the register: the next token is larger all the same.
            // A term may not.
            #expect(seen.token.rawValue == counter + 900)
            #expect(seen.term == 9)
            try await place.register.release(mine, wake: false)
            let next = try await Self.take(place.register, Self.claim("b"))
            #expect(next.counter > counter + 900)
            #expect(next.term == 9)
        }
    }

    @Test func otherRulesAreAMismatchWhileTheLockLives() async throws {
        try await Self.withPlace { place in
            let mine = Self.claim("a", rules: "ttl=8 n=3")
            _ = try await Self.take(place.register, mine)
            let other = Self.claim("b", rules: "ttl=10 n=3")
            let reply = try await place.register.acquire(other)
            #expect(reply == .mismatch(rules: "ttl=8 n=3"))
            try await place.register.release(mine, wake: false)
            _ = try await Self.take(place.register, other)
            let now = try await place.register.acquire(mine)
            #expect(now == .mismatch(rules: "ttl=10 n=3"), "the rules lapse with the lock")
        }
    }
}
