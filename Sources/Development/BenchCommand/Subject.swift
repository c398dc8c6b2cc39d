import LeaderElection
import LeaderElectionRedis
import ThrowawayRedis

/// A listener to the burst.
struct Subject {
    let name: String
    let command: String
    let arguments: @Sendable (ThrowawayServer) -> [String]
    /// Another replica holds the lease, so this one keeps everything in its log.
    var follows = false
    var leads = false
    /// It hears one of this many: its handler takes its time.
    var share = 1
    /// Reads what it prints.
    var lines: LineReader?

    static func loop(_ name: String, _ command: String, _ first: [String] = []) -> Subject {
        Subject(name: name, command: command, arguments: { first + [$0.host, "\($0.port)"] })
    }

    static func follower(_ lapse: String) -> Subject {
        var subject = Subject(name: "lapse follower: bytes -> log", command: lapse, arguments: { Self.run($0.url, 64) })
        subject.follows = true
        return subject
    }

    static func leader(_ lapse: String, concurrency: Int) -> Subject {
        var subject = Subject(
            name: "lapse leader: log -> no-op handler, concurrency \(concurrency)", command: lapse,
            arguments: { Self.run($0.url, concurrency) })
        subject.leads = true
        return subject
    }

    /// Posts each expiration to a URL.
    static func leader(_ lapse: String, posting url: String, concurrency: Int) -> Subject {
        var subject = Subject(
            name: "lapse leader: log -> webhook, concurrency \(concurrency)", command: lapse,
            arguments: { Self.run($0.url, concurrency, ["--webhook", url]) })
        subject.leads = true
        return subject
    }

    /// The library, with a handler that waits for a millisecond.
    static func sleeper(concurrency: Int) -> Subject {
        var subject = Subject(
            name: "library as leader: log -> handler of 1 ms, concurrency \(concurrency)",
            command: CommandLine.arguments[0],
            arguments: { ["sleeper", $0.url, "--concurrency", "\(concurrency)"] })
        subject.leads = true
        subject.share = 10
        return subject
    }

    /// A built-in handler that prints each expiration, into a pipe whose reader checks that each key comes
    /// once.
    static func printer(_ lapse: String, handler: String) throws -> Subject {
        let lines = try LineReader()
        let output = handler == "log" ? "2" : "1"
        var subject = Subject(
            name: "lapse leader: log -> \(handler) into a pipe", command: "/bin/sh",
            arguments: { server in
                // The shell becomes the program, and keeps its process ID.
                ["-c", "exec \"$0\" \"$@\" \(output)> '\(lines.path)'", lapse]
                    + Self.run(server.url, 64, ["--handler", handler])
            })
        subject.leads = true
        subject.lines = lines
        return subject
    }

    static func run(
        _ url: String, _ concurrency: Int, _ handler: [String] = ["--handler", "none"]
    ) -> [String] {
        ["run", "--redis", url, "--concurrency", "\(concurrency)", "--admin", "off", "--lease-ttl", "2s"] + handler
    }

    func start(on server: ThrowawayServer) async throws -> ThrowawayProcess {
        if follows { try await server.cli("SET", Self.keys.lock, "another replica") }
        let process = try await ThrowawayProcess.start(command, arguments(server))
        try await waitUntil("\(name) listens", within: .seconds(20)) {
            guard process.isRunning else { throw ThrowawayRedisError(process.output) }
            let clients = try await server.cli("CLIENT", "LIST", "TYPE", "pubsub")
            guard !clients.isEmpty else { return "it has not subscribed" }
            let output = process.output + (lines?.others ?? "")
            return leads && !output.contains("became leader") ? "it does not lead: \(process.output)" : nil
        }
        try await Task.sleep(for: .seconds(1))
        return process
    }

    /// Throws unless the leader has finished everything that the server announced.
    func check(_ process: ThrowawayProcess, on server: ThrowawayServer, events: Int) async throws {
        guard leads else { return }
        try await lines?.check(events)
        let burst = ExpirationBurst(server: server)
        try await waitUntil("the progress says that all is handled", within: .seconds(10)) {
            let announced = try await burst.announced()
            let progress = try await server.cli("HVALS", Self.keys.progress)
            return progress.contains(" \(announced) 0 \(server.address) -")
                ? nil : "\(announced) were announced, and the progress is \(progress); \(process.output)"
        }
    }

    private static var keys: ElectionKeys { ElectionKeys.registers(1, name: "default")[0] }
}
