import Foundation
import FoundationNetworking
import ThrowawayRedis

/// What a replica says of itself: by its admin port, and in its log.
extension ThrowawayReplica {
    /// What `GET /readyz` on its admin port says; nil while the port is not open.
    var readiness: (status: Int, text: String)? { get async { try? await get("readyz") } }

    /// A page of the admin port.
    func page(_ name: String) async throws -> String { try await get(name).text }

    /// Where its admin port is; nil while it is not open.
    var adminAddress: String? {
        log.split(separator: "\n").last { $0.contains("admin port open") }?.split(separator: "=").last.map(String.init)
    }

    private func get(_ name: String) async throws -> (status: Int, text: String) {
        guard let address = adminAddress, let url = URL(string: "http://\(address)/\(name)") else {
            throw ThrowawayRedisError("the admin port is not open")
        }
        let (data, response) = try await URLSession.shared.data(from: url)
        return ((response as? HTTPURLResponse)?.statusCode ?? 0, String(decoding: data, as: UTF8.self))
    }
}

func waitUntilSaid(_ text: String, by replica: ThrowawayReplica) async throws {
    try await waitUntil("\(replica.id) says: \(text)", within: .seconds(30)) {
        replica.log.contains(text) ? nil : "\(replica.log.suffix(2_000))"
    }
}

func waitUntilReady(_ isReady: Bool, _ replica: ThrowawayReplica, saying text: String) async throws {
    try await waitUntil("readiness is \(isReady): \(text)", within: .seconds(30)) {
        guard let readiness = await replica.readiness else { return "no admin port" }
        return (readiness.status == 200) == isReady && readiness.text.contains(text) ? nil : "\(readiness)"
    }
}
