import Foundation
import FoundationNetworking
import ThrowawayRedis

extension ThrowawayReplica {
    /// What `GET /readyz` on its admin port says; nil while the port is not open.
    var readiness: (status: Int, text: String)? {
        get async {
            let line = log.split(separator: "\n").last { $0.contains("admin port open") }
            guard let address = line?.split(separator: "=").last,
                let url = URL(string: "http://\(address)/readyz"),
                let (data, response) = try? await URLSession.shared.data(from: url)
            else { return nil }
            return ((response as? HTTPURLResponse)?.statusCode ?? 0, String(decoding: data, as: UTF8.self))
        }
    }
}
