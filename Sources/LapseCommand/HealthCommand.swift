import ArgumentParser
import AsyncHTTPClient
import Console
import LapseAdmin
import NIOCore
import NIOHTTP1

/// What is asked of a replica.
enum Health: OptionGroupTable {
    static let ready = Setting.flag("ready", "Also ask whether it is ready: every master subscribed and set up.")
    static let rows = [Running.admin.row, ready.row]
    /// Not of any other subcommand.
    static let own = [ready.row]
}

/// `lapse health`: a probe for containers that have neither curl nor a shell.
struct HealthCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health", abstract: "Ask a replica's admin port whether the replica works.",
        discussion: """
            Exit code 0 while it does, 1 with its reasons while it does not, 69 when the admin port does not answer within five \
            seconds.
            """)

    @OptionGroup var health: GivenOptions<Health>

    func run() async throws {
        let values = try await OptionValues(given: health)
        guard case .listen(let host, let port) = try values(Running.admin) ?? .off else {
            throw Failure.usage("--admin off: there is no port to ask; give the HOST:PORT of a replica")
        }
        let probe = HealthProbe(host: host, port: port)
        try await probe.ask("/livez")
        if try values(Health.ready) == true { try await probe.ask("/readyz") }
        try await StandardStream.print("ok")
    }
}

/// Asks one admin port.
private struct HealthProbe {
    private let place: AdminAddress

    init(host: String, port: Int) {
        // Where it listens on all addresses, it listens on this one.
        let known = ["0.0.0.0": "127.0.0.1", "::": "::1"]
        place = .listen(host: known[host] ?? host, port: port)
    }

    /// - Throws: what the replica says is wrong, or that it does not answer.
    func ask(_ path: String) async throws {
        let status: HTTPResponseStatus
        let text: String
        do {
            (status, text) = try await withThrowingTaskGroup(of: (HTTPResponseStatus, String).self) { group in
                // Whichever is over first; the group cancels and awaits the other.
                group.addTask { try await answer(path) }
                group.addTask {
                    try await Task.sleep(for: .seconds(5))
                    throw Late()
                }
                defer { group.cancelAll() }
                guard let first = try await group.next() else { throw Late() }
                return first
            }
        } catch {
            throw Failure(.unreachable, "the admin port \(place) does not answer \(path): \(error)")
        }
        switch status {
        case .ok where text.hasPrefix("ok\n"): return
        case .serviceUnavailable:
            let reasons = text.split(separator: "\n").joined(separator: "; ")
            throw Failure(.negative, "\(path == "/livez" ? "not live" : "not ready"): \(reasons)")
        default:
            throw Failure(.unreachable, "what answers at \(place) is no replica: \(path) is \(status.code) there")
        }
    }

    private struct Late: Error, CustomStringConvertible {
        var description: String { "no answer within five seconds" }
    }

    private func answer(_ path: String) async throws -> (HTTPResponseStatus, String) {
        // No redirect leads to a replica.
        let client = HTTPClient(configuration: .init(redirectConfiguration: .disallow))
        do {
            let response = try await client.execute(
                HTTPClientRequest(url: "http://\(place)\(path)"), timeout: .seconds(5))
            let text = String(buffer: try await response.body.collect(upTo: 1 << 16))
            try await client.shutdown()
            return (response.status, text)
        } catch {
            try? await client.shutdown()
            throw error
        }
    }
}
