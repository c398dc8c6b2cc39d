import Foundation
import LeaderElection
import LeaderElectionRedis
import Testing
import ThrowawayRedis

@testable import LapseCommand

/// The process that releases the claim of the dead.
@Suite(.timeLimit(.minutes(1)), .serialized) struct OneShotReleaseTests {
    private static let lock = ElectionKeys.registers(1, name: "default")[0].lock
    private static let claim = Claim(
        name: "default", id: "one", value: "one:0123456789abcdef0123456789abcdef", ttl: .seconds(8), rules: "r",
        purpose: "run")

    private func release(_ server: ThrowawayServer, _ input: TemporaryFile, lease: String) throws -> LapseBinary.Child {
        try LapseBinary.start(
            ["__release", "run", "--redis", server.url, "--lease-ttl", lease], redirected: "<\(input.path)")
    }

    @Test func aLateRenewalOfTheDeadIsReleasedAsWell() async throws {
        let server = try await ThrowawayServer.start()
        let input = try TemporaryFile(try #require(ToldClaim(Self.claim).text))
        _ = try await server.cli("SET", Self.lock, Self.claim.value)
        let child = try release(server, input, lease: "8s")
        try await waitUntil("it is released", within: .seconds(10)) {
            try await server.cli("EXISTS", Self.lock) == "0" ? nil : child.text.errors
        }
        // As a healing renewal would have it that was on its way all the while: within the operation timeout
        // of 500 ms.
        _ = try await server.cli("SET", Self.lock, Self.claim.value)
        let run = try await child.end()
        #expect(run.code == 0, "\(run.errors)")
        #expect(run.output.isEmpty)
        #expect(try await server.cli("EXISTS", Self.lock) == "0")
        await server.shutDown()
    }

    /// The rounds until the second release, of which there are many, say nothing more.
    @Test func aReleaseIsToldOnce() async throws {
        let server = try await ThrowawayServer.start()
        let input = try TemporaryFile(try #require(ToldClaim(Self.claim).text))
        _ = try await server.cli("SET", Self.lock, Self.claim.value)
        let child = try release(server, input, lease: "4s")
        try await waitUntil("it is released", within: .seconds(10)) {
            child.text.errors.contains("lease released") ? nil : child.text.errors
        }
        await server.kill()
        let run = try await child.end()
        withExtendedLifetime(input) {}
        #expect(run.code == 0 && run.errors.matches("lease released for a worker that died") == 1, "\(run.errors)")
        await server.shutDown()
    }

    @Test func aRivalsClaimIsLeftAlone() async throws {
        let server = try await ThrowawayServer.start()
        let input = try TemporaryFile(try #require(ToldClaim(Self.claim).text))
        _ = try await server.cli("SET", Self.lock, "two:0123456789abcdef0123456789abcdef")
        let run = try await release(server, input, lease: "1s").end()
        #expect(run.code == 0, "\(run.errors)")
        #expect(try await server.cli("GET", Self.lock) == "two:0123456789abcdef0123456789abcdef")
        await server.shutDown()
    }

    @Test(arguments: ["", "nonsense", "{}", String(repeating: "x", count: 100_000)])
    func whatIsNoClaimIsRefused(text: String) async throws {
        let input = try TemporaryFile(text)
        let child = try LapseBinary.start(
            ["__release", "run", "--redis", "redis://127.0.0.1:1"], redirected: "<\(input.path)")
        let run = try await child.end()
        withExtendedLifetime(input) {}
        #expect(run.code == 70 && run.lastLine.contains("no claim on standard input"), "\(run.errors)")
    }

    @Test func aServerThatDoesNotAnswerEndsIt() async throws {
        let input = try TemporaryFile(try #require(ToldClaim(Self.claim).text))
        let child = try LapseBinary.start(
            ["__release", "run", "--redis", "redis://127.0.0.1:1", "--lease-ttl", "1s"],
            redirected: "<\(input.path)")
        #expect(try await child.end().code == 69)
    }
}
