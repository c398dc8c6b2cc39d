import ArgumentParser
import Foundation
import ThrowawayRedis
import ThrowawayStores

/// A kind of store for elections, on a server of its own.
enum StoreOnTrial: String, CaseIterable, ExpressibleByArgument, Sendable {
    case redis, etcd, consul, heartbeat, lease

    /// A running server, the options of lapse that lead to it, and its end.
    struct Started {
        let options: [String]
        let shutDown: () async -> Void
    }

    func start() async throws -> Started {
        switch self {
        case .redis:
            let cluster = try await ThrowawayCluster.start()
            return Started(options: ["--redis", cluster.urls]) { await cluster.shutDown() }
        case .etcd:
            let server = try await ThrowawayEtcd.start()
            return Started(options: ["--store", "etcd://127.0.0.1:\(server.port)/bench"]) { await server.shutDown() }
        case .consul:
            let server = try await ThrowawayConsul.start()
            return Started(options: ["--store", "consul://127.0.0.1:\(server.port)/bench"]) {
                await server.shutDown()
            }
        case .heartbeat, .lease:
            let server = try await ThrowawayMariaDB.start()
            let password = FileManager.default.temporaryDirectory.appending(path: "bench-\(UUID().uuidString)")
            try Data(ThrowawayMariaDB.password.utf8).write(to: password)
            let account = "\(ThrowawayMariaDB.user)@127.0.0.1:\(server.port)/\(ThrowawayMariaDB.database)"
            let url = "mysql://\(account)?scheme=\(rawValue)"
            return Started(options: ["--store", url, "--store-password-file", password.path]) {
                try? FileManager.default.removeItem(at: password)
                await server.shutDown()
            }
        }
    }
}
