import Foundation
import FoundationNetworking
import ThrowawayRedis

extension ThrowawayReplica {
    /// What `GET /readyz` on its admin port says; nil while the port is not open.
    var readiness: (status: Int, text: String)? {
        get async { await answer(at: "readyz") }
    }

    /// A page of its admin port; nil while the port is not open.
    func answer(at path: String) async -> (status: Int, text: String)? {
        let line = log.split(separator: "\n").last { $0.contains("admin port open") }
        guard let address = line?.split(separator: "=").last,
            let url = URL(string: "http://\(address)/\(path)"),
            let (data, response) = try? await URLSession.shared.data(from: url)
        else { return nil }
        return ((response as? HTTPURLResponse)?.statusCode ?? 0, String(decoding: data, as: UTF8.self))
    }
}
