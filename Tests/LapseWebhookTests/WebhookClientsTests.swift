import Endpoints
import Foundation
import Testing
import ThrowawayRedis

@testable import LapseWebhook

/// Authorities that are renewed while the process runs.
@Suite(.timeLimit(.minutes(1))) struct WebhookClientsTests {
    @Test func aRenewedAuthorityIsTrusted() async throws {
        let (first, second) = (try await ThrowawayCertificates.make(), try await ThrowawayCertificates.make())
        defer {
            first.remove()
            second.remove()
        }
        let file = first.authority.certificate
        let clients = try WebhookClients(TLSFiles(authority: file.path), timeout: .seconds(5), connections: 4)
        let before = clients.current
        #expect(clients.current === before)
        // In the middle of a renewal.
        try Data("none".utf8).write(to: file, options: .atomic)
        #expect(clients.current === before)
        try Data(contentsOf: second.authority.certificate).write(to: file, options: .atomic)
        let after = clients.current
        #expect(after !== before && clients.current === after)
        // Also of the former one, which would trap when it is forgotten.
        await clients.shutDown()
    }

    @Test func oneThatIsDroppedIsClosed() async throws {
        _ = try WebhookClients(nil, timeout: .seconds(5), connections: 4).current
    }

    @Test func theOptionIsNamed() throws {
        let error = #expect(throws: TLSFiles.Unusable.self) {
            _ = try WebhookClients(TLSFiles(authority: "/nowhere"), timeout: .seconds(5), connections: 4)
        }
        #expect(error?.description.contains("--webhook-tls-ca") == true)
    }
}
