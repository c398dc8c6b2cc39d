import Glibc
import Processes
import Testing
import ThrowawayRedis

/// A process that was started to ignore SIGCHLD learns of no child's end by itself: no failure may pass
/// for a success.
@Suite(.timeLimit(.minutes(1)), .serialized) struct IgnoredChildrenTests {
    @Test func aProgramThatFailsMakesADeadLetter() async throws {
        let server = try await ThrowawayServer.start()
        let child = try LapseBinary.start(
            [
                "run", "--redis", server.url, "--lease-ttl", "1s", "--id", "one", "--admin", "off", "--exec",
                "/bin/false", "--retries", "0",
            ], ignoring: "CHLD")
        try await waitUntil("it leads", within: .seconds(15)) {
            child.text.errors.contains("became leader") ? nil : child.text.errors
        }
        _ = try await server.cli("SET", "k", "v", "PX", "20")
        try await waitUntil("it is a dead letter", within: .seconds(15)) {
            child.text.errors.contains("dead-lettered") ? nil : child.text.errors
        }
        child.signal(SIGTERM)
        let run = try await child.end()
        #expect(run.code == 0, "\(run.errors)")
        await server.shutDown()
    }

    @Test func theCodeOfAnElectedProgramIsHandedOn() async throws {
        let server = try await ThrowawayServer.start()
        let child = try LapseBinary.start(
            ["elect", "--redis", server.url, "--lease-ttl", "1s", "--id", "one", "--", "sh", "-c", "exit 3"],
            ignoring: "CHLD")
        let run = try await child.end()
        #expect(run.code == 3, "\(run.errors)")
        await server.shutDown()
    }

    @Test func anEndThatAnotherTookIsNoSuccess() async throws {
        let child = try await ChildProcess.spawn("true", [])
        var status: Int32 = -1
        let taken = unsafe waitpid(child.pid, &status, 0)
        #expect(taken == child.pid && status == 0)
        #expect(child.exitStatus == SIGKILL && !child.isRunning)
    }
}
