import Foundation
import Glibc
import Testing
import ThrowawayRedis

/// Debug lines on demand.
@Suite(.timeLimit(.minutes(1)), .serialized) struct DebugLinesTests {
    @Test func debugLinesComeAndGoWithASignal() async throws {
        let server = try await ThrowawayServer.start()
        let child = try LapseBinary.start(
            ["run", "--redis", server.url, "--lease-ttl", "1s", "--handler", "ndjson", "--id", "one", "--admin", "off"])
        try await waitUntil("it leads", within: .seconds(15)) {
            child.text.errors.contains("became leader") ? nil : child.text.errors
        }
        #expect(!child.text.errors.contains("lease renewed"))
        child.signal(SIGUSR1)
        try await waitUntil("a renewal is told", within: .seconds(15)) {
            child.text.errors.contains("lease renewed") ? nil : child.text.errors
        }
        #expect(child.text.errors.contains("notice log level changed  level=debug"))
        child.signal(SIGUSR1)
        try await waitUntil("the level is as before", within: .seconds(15)) {
            child.text.errors.contains("log level changed  level=info") ? nil : child.text.errors
        }
        child.signal(SIGUSR2)
        try await server.script((0..<10).map { "SET k:\($0) v PX 20" })
        try await waitUntil("all are printed", within: .seconds(15)) {
            child.lines.count >= 10 ? nil : "\(child.lines.count) are"
        }
        child.signal(SIGTERM)
        let run = try await child.end()
        #expect(run.code == 0, "\(run.errors)")
        let after = try #require(run.errors.range(of: "level=info"))
        #expect(!run.errors[after.upperBound...].contains(" debug "), "\(run.errors)")
        await server.shutDown()
    }
}
