import Foundation
import FoundationNetworking
import ThrowawayRedis

/// A Prometheus that scrapes replicas each second and goes by the rules of `deploy/prometheus`.
///
/// A state that a rule waits for (`for`) counts at once: how long is tested by `promtool`.
final class RunningPrometheus: Sendable {
    static var isInstalled: Bool { ThrowawayDaemon.isInstalled("prometheus") }

    private let daemon: ThrowawayDaemon

    static func start(scraping replicas: [ThrowawayReplica]) async throws -> RunningPrometheus {
        let targets = try replicas.map { replica in
            guard let address = replica.adminAddress else {
                throw ThrowawayRedisError("the admin port of \(replica.id) is not open")
            }
            return "\"\(address)\""
        }
        let prometheus = try RunningPrometheus(targets)
        try await prometheus.daemon.start {
            let count = try await prometheus.scraped()
            return count == targets.count ? nil : "\(count) replicas are scraped"
        }
        return prometheus
    }

    private init(_ targets: [String]) throws {
        let rules = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "deploy/prometheus/lapse.rules.yml")
        let text = try String(contentsOf: rules, encoding: .utf8).replacing(/(?m)^ +for: .*\n/, with: "")
        daemon = try ThrowawayDaemon("prometheus", ports: 1) { place in
            try Data(text.utf8).write(to: place.directory.appending(path: "rules.yml"))
            let file = place.directory.appending(path: "prometheus.yml")
            let settings = """
                global: {scrape_interval: 1s, evaluation_interval: 1s}
                rule_files: [rules.yml]
                scrape_configs:
                  - job_name: lapse
                    static_configs: [{targets: [\(targets.joined(separator: ", "))]}]

                """
            try Data(settings.utf8).write(to: file)
            return [
                "--config.file=\(file.path)", "--storage.tsdb.path=\(place.directory.path)/data",
                "--web.listen-address=127.0.0.1:\(place.ports[0])",
            ]
        }
    }

    func shutDown() async { await daemon.shutDown() }

    private struct Answer: Decodable {
        struct Data: Decodable {
            struct Item: Decodable {
                var labels: [String: String]?
                var state: String?
            }
            var alerts: [Item]?
            var result: [Item]?
        }
        var data: Data
    }

    private func ask(_ path: String) async throws -> Answer.Data {
        guard let url = URL(string: "http://127.0.0.1:\(daemon.place.ports[0])/api/v1/\(path)") else {
            throw ThrowawayRedisError("no URL: \(path)")
        }
        let (data, _) = try await URLSession.shared.data(from: url)
        return try JSONDecoder().decode(Answer.self, from: data).data
    }

    private func scraped() async throws -> Int { try await ask("query?query=lapse_ready").result?.count ?? 0 }

    /// The alerts that fire now, and the nodes that they name.
    func firing() async throws -> [String: Set<String>] {
        var found: [String: Set<String>] = [:]
        for alert in try await ask("alerts").alerts ?? [] where alert.state == "firing" {
            found[alert.labels?["alertname"] ?? "", default: []].formUnion([alert.labels?["node"]].compactMap(\.self))
        }
        return found
    }

    func waitUntilFires(_ alert: String, of node: ThrowawayServer? = nil) async throws {
        try await waitUntil("\(alert) fires", within: .seconds(60)) {
            let firing = try await firing()
            guard let nodes = firing[alert] else { return "only \(firing)" }
            return node.map { nodes.contains($0.address) } ?? true ? nil : "\(firing)"
        }
    }

    func waitUntilNoneFires(but accepted: Set<String> = []) async throws {
        try await waitUntil("no alert fires", within: .seconds(60)) {
            let firing = try await firing().filter { !accepted.contains($0.key) }
            return firing.isEmpty ? nil : "\(firing)"
        }
    }
}
