import NIOCore
import RESP
import Testing
import ThrowawayRedis

@testable import Lapse

@Suite(.timeLimit(.minutes(1)))
struct LagForecastTests {
    private static func text(_ text: String) -> RESPValue { .bulk(.init(string: text)) }

    @Test("by the keys with a TTL of all databases, and only for a master")
    func lag() {
        let server = Self.text("# Server\r\nhz:10\r\n")
        let keyspace = Self.text(
            "# Keyspace\r\ndb0:keys=9,expires=3000,avg_ttl=1\r\ndb3:keys=9,expires=1000,avg_ttl=1\r\n")
        let effort = RESPValue.array([Self.text("active-expire-effort"), Self.text("1")])
        let master = Self.text("role:master\r\n")
        #expect(LagForecast.lag([server, keyspace, master, effort]) == .seconds(10))
        #expect(LagForecast.lag([server, keyspace, master]) == .seconds(10))
        #expect(LagForecast.lag([server, keyspace, Self.text("role:slave\r\n"), effort]) == nil)
        let forged = Self.text("db0:keys=9,expires=18446744073709551615,avg_ttl=1\r\n")
        #expect(LagForecast.lag([server, forged, master, effort]) == .zero)
        #expect(LagForecast.lag([.null, .null, .null, .null]) == nil)
    }

    @Test("a server with many keys is told of once, with what helps", arguments: [false, true])
    func warning(isPunctual: Bool) async throws {
        let server = try await ThrowawayServer.start()
        try await server.script((0..<2_000).map { "SET k:\($0) 1 EX 3600" })
        var configuration = ProcessorConfiguration(redis: [server.url], name: "late", match: ["none:*"])
        configuration.leaseTTL = .seconds(2)
        configuration.punctual = isPunctual ? .sweep : .off
        let handler = RunningHandler()
        try await handler.run(configuration) {
            try await server.script(["SET none:1 1 PX 5"])
            try await handler.waitFor(["none:1"])
        }
        let lines = handler.log.lines("expirations are announced late")
        #expect(lines.count == (isPunctual ? 0 : 1))
        #expect(lines.allSatisfy { $0.contains("seconds=5.0") && $0.contains("fix=--punctual track") })
        await server.shutDown()
    }
}
