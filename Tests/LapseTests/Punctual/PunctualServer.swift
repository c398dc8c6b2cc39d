import LapseDoctor
import RedisClient
import Testing
import ThrowawayRedis

@testable import Lapse

/// What the tests of `--punctual` run on.
enum PunctualServer {
    /// A server on which only a nudge or a scan expires anything, and the user that `doctor --acl` prints.
    ///
    /// - Parameter withoutHints: the user may not subscribe to what tells of TTLs.
    static func with(
        _ punctual: ProcessorConfiguration.Punctual, notifications: String = "Exg",
        withoutHints: Bool = false, extra: [String] = [], _ change: (inout ProcessorConfiguration) -> Void = { _ in },
        _ body: @Sendable (ThrowawayServer, ProcessorConfiguration) async throws -> Void
    ) async throws {
        var rights = AccessRights(user: nil, name: "punctual", mode: .standalone)
        rights.punctual = punctual
        rights.wanted = ["timer:*"]
        let refused = withoutHints ? Set(HintChannel.all.map { "&\($0)" }) : []
        let words = rights.line.split(separator: " ").dropFirst(2).filter { !refused.contains(String($0)) }
        var options = ServerOptions()
        options.users = ["user " + words.joined(separator: " ")]
        options.notifications = notifications
        options.extra = ["enable-debug-command yes"] + extra
        let server = try await ThrowawayServer.start(options)
        var configuration = ProcessorConfiguration(
            redis: ["redis://lapse:\(AccessRights.passwordPlace)@\(server.address)"], name: "punctual",
            match: ["timer:*"])
        configuration.leaseTTL = .seconds(2)
        configuration.punctual = punctual
        change(&configuration)
        do {
            try await server.cli("DEBUG", "SET-ACTIVE-EXPIRE", "0")
            try await body(server, configuration)
            if !withoutHints { #expect(try await server.cli("ACL", "LOG") == "", "the printed rights are enough") }
        } catch {
            await server.shutDown()
            throw error
        }
        await server.shutDown()
    }

    static func arm(_ ids: some Sequence<Int>, milliseconds: ClosedRange<Int>) -> [String] {
        ids.map { "SET timer:\($0) 1 PX \(milliseconds.lowerBound + $0 * 37 % milliseconds.count)" }
    }
}
