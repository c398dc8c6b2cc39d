import Foundation

/// Commands for setting up and looking, run by `redis-cli`: the product's own client is what is under
/// test.
extension ThrowawayServer {
    /// One command, its reply in raw form without the final newline. An error reply is thrown.
    @discardableResult
    package func cli(_ arguments: String...) async throws -> String {
        try await cli(arguments)
    }

    @discardableResult
    package func cli(_ arguments: [String], within limit: Duration = .seconds(10)) async throws -> String {
        let run = try await redisCLI(["-e"] + arguments, input: nil, within: limit)
        guard run.succeeded else {
            throw ThrowawayRedisError("redis \(address): \(arguments.joined(separator: " ")): \(run.output)")
        }
        return run.output
    }

    /// Many commands in one run, a line each, quoted as redis-cli quotes; the output with strings quoted
    /// too, so that binary keys can be pasted back. An error reply is thrown.
    @discardableResult
    package func script(_ lines: [String], within limit: Duration = .seconds(30)) async throws -> String {
        let run = try await redisCLI(
            ["--no-raw"], input: lines.joined(separator: "\n") + "\n", within: limit)
        let error = run.output.split(separator: "\n").first { $0.hasPrefix("(error) ") || $0.hasPrefix("ERR ") }
        guard run.succeeded, error == nil else {
            throw ThrowawayRedisError("redis \(address): \(error.map(String.init) ?? run.output)")
        }
        return run.output
    }

    private func redisCLI(_ arguments: [String], input: String?, within limit: Duration) async throws -> CommandRun {
        var line = ["-h", host, "-p", "\(port)"]
        if let tls = options.tls {
            line += [
                "--tls", "--cacert", tls.authority.path, "--cert", (tls.clientCertificate ?? tls.certificate).path,
                "--key", (tls.clientKey ?? tls.key).path,
            ]
        }
        // The environment, because every user of the machine can read a command line.
        let environment = options.password.map { ["REDISCLI_AUTH": $0] } ?? [:]
        let run = try await CommandRun.of(
            "redis-cli", line + arguments, environment: environment, input: input, within: limit)
        return CommandRun(output: run.output.trimmingTrailingNewlines, succeeded: run.succeeded)
    }

    /// The role this server takes itself to have.
    package enum Role: String, Sendable {
        case master
        case replica = "slave"
        case sentinel
    }

    package func role() async throws -> Role {
        let reply = try await cli(["ROLE"], within: .seconds(2))
        guard let role = Role(rawValue: String(reply.prefix { $0 != "\n" })) else {
            throw ThrowawayRedisError("redis \(address): strange answer to ROLE: \(reply)")
        }
        return role
    }

    package func waitUntilRole(_ role: Role, within limit: Duration = .seconds(15)) async throws {
        try await waitUntil("redis \(address) is \(role)", within: limit) {
            let present = try await self.role()
            return present == role ? nil : "it is \(present)"
        }
    }

    /// One field of INFO, such as `expired_keys` or `master_link_status`.
    package func info(_ field: String) async throws -> String? {
        try await cli(["INFO"], within: .seconds(5)).split(whereSeparator: \.isNewline)
            .first { $0.hasPrefix("\(field):") }.map { String($0.dropFirst(field.count + 1)) }
    }
}

extension String {
    var trimmingTrailingNewlines: String {
        var text = self[...]
        while text.last?.isNewline == true { text.removeLast() }
        return String(text)
    }
}
