import Foundation
import Glibc
import LeaderElectionRedis
import Synchronization
import Testing
import ThrowawayRedis

/// Row 87: the dead worker's last renewal arrives after its lease was released.
@Suite(.timeLimit(.minutes(2)), .serialized) struct LateRenewalTests {
    /// Only a renewal that heals takes a register again that holds nothing, so one of three has lost the
    /// vote before.
    @Test func theSecondReleaseTakesItAway() async throws {
        let server = try await ThrowawayServer.start()
        var locks: [ThrowawayServer] = []
        for _ in 0..<3 { locks.append(try await ThrowawayServer.start()) }
        let forgetful = locks[2]
        let relay = try Relay(to: forgetful)
        let child = try LapseBinary.start([
            "run", "--redis", server.url, "--id", "one", "--admin", "off", "--handler", "none", "--supervise", "on",
            "--on-crash", "exit", "--lease-ttl", "6s",
            "--lock-servers", "\(locks[0].url),\(locks[1].url),\(relay.url)",
        ])
        try await child.waitUntilItHasLedForLong()
        let lock = try #require(
            try await forgetful.cli("KEYS", "*:lock").split(whereSeparator: \.isNewline).first.map(String.init))
        let claim = try await forgetful.cli("GET", lock)
        #expect(claim.hasPrefix("one:"))
        let held = HeldRenewal(of: claim, on: relay)
        try await forgetful.cli("DEL", lock)
        try await waitUntil("the healing renewal is on its way", within: .seconds(30)) {
            held.isHeld ? nil : child.text.errors
        }
        kill(try await child.worker(), SIGKILL)
        held.senderHasDied()
        let run = try await child.end()
        #expect(run.code == 128 + SIGKILL)
        #expect(run.errors.contains("lease released for a worker that died"), "\(run.errors)")
        let answer = try #require(held.answer, "it did not arrive between the releases: \(held.seen)")
        #expect(answer.hasSuffix("*1\r\n:1\r\n"), "it took the lock: \(answer)")
        for register in locks {
            #expect(try await register.cli("EXISTS", lock) == "0", "\(register.address): \(run.errors)")
            #expect(try await register.expiredKeys() == 0)
        }
        relay.shutDown()
        for server in locks + [server] { await server.shutDown() }
    }
}

/// Keeps the renewal that heals until the first release of the same claim has been answered: the server
/// hears the renewal then, and who released hears of the first release only after that. So the order
/// does not depend on time.
private final class HeldRenewal: Sendable {
    private struct State {
        var held: Int?
        var isSenderDead = false
        var releasing: Set<Int> = []
        var isPassed = false
        var answer: String?
        var seen: [String] = []
    }

    private let state = Mutex(State())
    private let released = DispatchSemaphore(value: 0)
    private let arrived = DispatchSemaphore(value: 0)
    private static let limit = DispatchTimeInterval.seconds(30)

    init(of claim: String, on relay: Relay) {
        relay.onRequests { [self] connection, bytes in
            guard bytes.firstRange(of: claim.utf8) != nil else { return }
            if take(connection, bytes) { _ = released.wait(timeout: .now() + Self.limit) }
        }
        relay.onAnswers { [self] connection, bytes in answered(connection, bytes) }
    }

    var isHeld: Bool { state.withLock { $0.held != nil } }
    /// The server's, to the renewal.
    var answer: String? { state.withLock { $0.answer } }

    /// What servers have answered to releases.
    var seen: [String] { state.withLock { $0.seen } }

    /// From now on it is the releaser's word that names the claim.
    func senderHasDied() { state.withLock { $0.isSenderDead = true } }

    /// Whether it is to be kept. Its sixth argument says that it heals; behind it comes the purpose.
    private func take(_ connection: Int, _ bytes: [UInt8]) -> Bool {
        state.withLock { state in
            if state.isSenderDead { state.releasing.insert(connection) }
            let words = String(decoding: bytes, as: UTF8.self).replacing("\r\n", with: " ")
            guard state.held == nil, words.contains(#/ \$1 1 \$\d+ run/#) else { return false }
            state.held = connection
            return true
        }
    }

    private func answered(_ connection: Int, _ bytes: [UInt8]) {
        let isFirstRelease = state.withLock { state in
            if connection == state.held, state.isPassed {
                state.answer = String(decoding: bytes, as: UTF8.self)
                arrived.signal()
            }
            guard state.releasing.contains(connection), !state.isPassed else { return false }
            let text = String(decoding: bytes, as: UTF8.self)
            state.seen.append(text)
            // It may come behind the answer to what loads the script. A lock that the register does not hold is
            // released as well.
            guard [":0\r\n", ":1\r\n"].contains(where: { text.hasSuffix($0) }) else { return false }
            state.isPassed = true
            return true
        }
        guard isFirstRelease else { return }
        released.signal()
        _ = arrived.wait(timeout: .now() + Self.limit)
    }
}
