import Foundation
import Glibc
import Testing
import ThrowawayRedis

/// The parent as a process among others: a service manager, a container, a pipeline.
@Suite(.timeLimit(.minutes(3)), .serialized) struct CitizenTests {
    private static func arguments(_ server: ThrowawayServer, _ options: [String] = []) -> [String] {
        ["run", "--redis", server.url, "--id", "one", "--admin", "off", "--lease-ttl", "1s"] + options
    }

    @Test(arguments: ["on", "off"]) func theServiceManagerHearsOfReadinessAndLife(supervise: String) async throws {
        let server = try await ThrowawayServer.start()
        let manager = try NoticeSocket()
        let child = try LapseBinary.start(
            Self.arguments(server, ["--supervise", supervise]),
            environment: ["NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "300000"])
        try await waitUntil("it says that it is ready and alive", within: .seconds(20)) {
            let heard = manager.read()
            return heard.first == "READY=1" && heard.count { $0 == "WATCHDOG=1" } >= 3 ? nil : "\(heard)"
        }
        if supervise == "on" {
            let worker = try await ChildProcesses.only(of: child.pid)
            kill(worker, SIGSTOP)
            // What was on its way.
            try await Task.sleep(for: .milliseconds(200))
            let heard = manager.read().count
            try await Task.sleep(for: .milliseconds(500))
            #expect(manager.read().count == heard, "a stopped worker gives no sign of life, and its parent none for it")
            kill(worker, SIGCONT)
        }
        child.signal(SIGTERM)
        #expect(try await child.end().code == 0)
        #expect(manager.read().count { $0 == "READY=1" } == 1)
        await server.shutDown()
    }

    /// The first process of a container supervises unasked, and takes in what ends below it.
    @Test func asTheFirstProcessItSupervisesAndReaps() async throws {
        guard geteuid() == 0 else { return print("SKIPPED: the first process of a namespace: not root") }
        let server = try await ThrowawayServer.start()
        let namespace = try await ThrowawayProcess.start(
            "unshare", ["--pid", "--fork", "--kill-child", "--mount-proc", LapseBinary.path] + Self.arguments(server))
        try await waitUntil("it leads", within: .seconds(20)) {
            namespace.output.contains("became leader") ? nil : namespace.output
        }
        let parent = try await ChildProcesses.only(of: namespace.pid)
        let worker = try await ChildProcesses.only(of: parent)
        kill(worker, SIGKILL)
        try await waitUntil("another worker leads", within: .seconds(30)) {
            namespace.output.matches("became leader") >= 2 ? nil : namespace.output
        }
        #expect(namespace.output.contains("the worker was ended by signal 9"))
        kill(parent, SIGTERM)
        try await waitUntil("it ends in order", within: .seconds(20)) {
            namespace.isRunning ? namespace.output : nil
        }
        #expect(namespace.output.contains("leadership released"))
        await server.shutDown()
    }

    /// They are killed with the worker, since it does not know whose they are.
    @Test(arguments: ["text", "json"]) func itWarnsOfChildrenThatItFinds(format: String) async throws {
        let server = try await ThrowawayServer.start()
        let line = ([LapseBinary.path] + Self.arguments(server, ["--supervise", "on", "--log-format", format]))
            .joined(separator: " ")
        let parent = try await ThrowawayProcess.start("sh", ["-c", "sleep 1000 & echo helper $!; exec \(line)"])
        try await waitUntil("it leads", within: .seconds(20)) {
            parent.output.contains("became leader") ? nil : parent.output
        }
        let helper = try #require(parent.output.firstMatch(of: /helper (\d+)/)?.1)
        let said = "parent: processes \(helper) were started before this one, and are killed when its worker ends"
        let shown = format == "json" ? #""level":"warning","message":"\#(said)"}"# : "lapse: \(said)\n"
        #expect(parent.output.contains(shown), "\(parent.output)")
        kill(parent.pid, SIGTERM)
        try await waitUntil("it ends, and so does the helper", within: .seconds(20)) {
            !parent.isRunning && kill(Int32(helper) ?? 1, 0) != 0 ? nil : parent.output
        }
        await server.shutDown()
    }

    /// Who started it with PR_SET_PDEATHSIG counts on that: it becomes another program, and another thread
    /// does that.
    @Test func itEndsWithWhomItWasToEndWith() async throws {
        let server = try await ThrowawayServer.start()
        // A shell that starts it so, and waits.
        let line =
            (["setpriv", "--pdeathsig", "KILL", "--", LapseBinary.path] + Self.arguments(server, ["--supervise", "on"]))
            .joined(separator: " ")
        let shell = try await ThrowawayProcess.start("sh", ["-c", "\(line) & wait"])
        try await waitUntil("it leads", within: .seconds(20)) {
            shell.output.contains("became leader") ? nil : shell.output
        }
        let parent = try await ChildProcesses.only(of: shell.pid)
        await shell.kill()
        try await waitUntil("it has ended, and its worker drains", within: .seconds(20)) {
            kill(parent, 0) != 0 && shell.output.contains("leadership released") ? nil : shell.output
        }
        await server.shutDown()
    }

    @Test func theNextWorkersOutputBeginsOnANewLine() async throws {
        let server = try await ThrowawayServer.start()
        let file = try TemporaryFile(#"{"key":"cut o"#)
        let child = try LapseBinary.start(
            Self.arguments(server, ["--supervise", "on", "--handler", "ndjson"]), redirected: ">>\(file.path)")
        try await waitUntil("it leads", within: .seconds(20)) {
            child.text.errors.contains("became leader") ? nil : child.text.errors
        }
        kill(try await ChildProcesses.only(of: child.pid), SIGKILL)
        try await waitUntil("another worker leads", within: .seconds(30)) {
            child.text.errors.matches("became leader") >= 2 ? nil : child.text.errors
        }
        _ = try await server.cli("SET", "k", "v", "PX", "1")
        func lines() throws -> [Substring] {
            try String(contentsOfFile: file.path, encoding: .utf8).split(
                separator: "\n", omittingEmptySubsequences: false)
        }
        try await waitUntil("it is printed", within: .seconds(10)) { try lines().count > 2 ? nil : "not yet" }
        #expect(try lines().first == #"{"key":"cut o"#)
        #expect(try lines()[1].hasPrefix(#"{"key":"k""#))
        child.signal(SIGTERM)
        #expect(try await child.end().code == 0)
        await server.shutDown()
    }
}

/// What a service manager listens at.
private final class NoticeSocket {
    let path: String
    private let descriptor: Int32
    private var heard: [String] = []

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "notify-\(UInt32.random(in: 0 ... .max))").path
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let path = path
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: Array(path.utf8)) }
        let bound = unsafe withUnsafePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe bind(descriptor, address, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(bound == 0)
    }

    deinit {
        close(descriptor)
        unsafe unlink(path)
    }

    /// All that has come so far.
    func read() -> [String] {
        var buffer = [UInt8](repeating: 0, count: 256)
        while true {
            let count = unsafe recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { return heard }
            heard.append(String(decoding: buffer[..<count], as: UTF8.self))
        }
    }
}
