import Foundation
import Glibc
import Testing
import ThrowawayRedis

/// A command that waits says for what, while it waits.
@Suite(.timeLimit(.minutes(2)), .serialized) struct WaitingTests {
    @Test func aServerThatSaysNothingIsNamed() async throws {
        let server = try await ThrowawayServer.start()
        server.freeze()
        let children = try [
            ["status"], ["top", "--json"], ["groups"], ["pause", "--for", "5s"], ["doctor"], ["tail"],
            ["dead-letters", "list", "--dead-letter", "dead"],
        ].map { try LapseBinary.start($0 + ["--redis", server.url, "--startup-timeout", "1h"]) }
        for (index, child) in children.enumerated() {
            try await waitUntil("child \(index) says so", within: .seconds(20)) {
                child.text.errors.contains("no answer yet from \(server.address)") ? nil : "\(child.text)"
            }
            #expect(child.text.errors.contains("waiting for Redis"), "\(child.text)")
        }
        for child in children { child.signal(SIGKILL) }
        for child in children { _ = try await child.end() }
        await server.shutDown()
    }

    @Test func theDoctorSaysThatItTriesAgain() async throws {
        let closed = try await ThrowawayServer.start()
        await closed.kill()
        let run = try await LapseBinary.run(["doctor", "--redis", closed.url, "--startup-timeout", "400ms"])
        #expect(run.code == 69, "\(run)")
        #expect(run.errors.hasPrefix("lapse: waiting for Redis, at most 0.4 seconds: "), "\(run)")
        #expect(run.errors.contains("\(closed.port)"), "\(run)")
        await closed.shutDown()
    }

    @Test func waitingForALeaderEndsInTimeWithoutRedisToo() async throws {
        let closed = try await ThrowawayServer.start()
        await closed.kill()
        let run = try await LapseBinary.run(
            ["status", "--wait", "leader", "--timeout", "300ms", "--redis", closed.url])
        #expect(run.code == 69, "\(run)")
        // As long as it waits for Redis, it says; of the usual 5 s there is no word.
        #expect(run.errors.contains("waiting for Redis, at most 0."), "\(run)")
        await closed.shutDown()
    }

    @Test func aLeaderThatDoesNotAnswerIsWaitedForAloud() async throws {
        let server = try await ThrowawayServer.start()
        let run = try await LapseBinary.run(["pause", "--for", "5s", "--redis", server.url])
        #expect(run.code == 1, "\(run)")
        #expect(run.errors.contains("waiting for the leader's answer, at most 5.0 seconds"), "\(run)")
        await server.shutDown()
    }
}
