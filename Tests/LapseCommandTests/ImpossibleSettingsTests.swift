import Testing
import ThrowawayRedis

/// Settings that can never work on the servers there are: named at the start, with exit code 64.
@Suite(.timeLimit(.minutes(2)), .serialized) struct ImpossibleSettingsTests {
    private func isRefused(_ arguments: [String], naming: [String]) async throws {
        let run = try await LapseBinary.run(arguments + (arguments[0] == "run" ? ["--admin", "off"] : []))
        #expect(run.code == 64, "\(arguments): \(run)")
        for name in naming { #expect(run.lastLine.contains(name), "\(arguments): \(run.errors)") }
    }

    @Test func aDatabaseBeyondTheServersIsRefused() async throws {
        let server = try await ThrowawayServer.start()
        for subcommand in ["run", "tail", "doctor"] {
            try await isRefused(
                [subcommand, "--redis", server.url, "--database", "20"],
                naming: ["--database 20: \(server.address) has databases 0 to 15"])
        }
        // In the URL it is the same setting.
        try await isRefused(["run", "--redis", server.url + "/16"], naming: ["--database 16"])
        await server.shutDown()
    }

    /// A user who may neither SELECT nor look at the configuration is no reason to refuse a database.
    @Test func whatCannotBeAskedIsNotRefused() async throws {
        var options = ServerOptions()
        options.users = ["user shy on nopass ~* &* +@all -select -config"]
        let server = try await ThrowawayServer.start(options)
        let child = try LapseBinary.start(
            ["run", "--redis", "redis://shy:x@\(server.address)", "--database", "20", "--lease-ttl", "1s"]
                + ["--admin", "off", "--notifications", "off"])
        try await waitUntil("it leads", within: .seconds(15)) {
            child.text.errors.contains("became leader") ? nil : child.text.errors
        }
        child.signal(15)
        #expect(try await child.end().code == 0)
        await server.shutDown()
    }

    @Test func whatAClusterHasNotIsRefused() async throws {
        let cluster = try await ThrowawayCluster.start()
        let url = cluster.nodes[0].url
        for subcommand in ["run", "tail", "doctor"] {
            try await isRefused(
                [subcommand, "--redis", url, "--database", "3"], naming: ["--database 3: ", "has database 0 only"])
            try await isRefused(
                [subcommand, "--redis", url, "--topology", "standalone"],
                naming: ["--topology standalone: ", "is a node of a cluster"])
        }
        await cluster.shutDown()
    }

    @Test func aServerThatIsNoClusterIsNamed() async throws {
        let server = try await ThrowawayServer.start()
        for subcommand in ["run", "tail", "doctor", "status"] {
            try await isRefused(
                [subcommand, "--redis", server.url, "--topology", "cluster"],
                naming: ["--topology cluster: \(server.address) is no node of a cluster"])
        }
        await server.shutDown()
    }
}
