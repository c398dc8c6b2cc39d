import Foundation
import Testing

@testable import Lapse

/// The rules and the dashboard in `deploy/` name metrics that exist, and each alert has its section in
/// the manual.
@Suite struct AlertTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    /// What `GET /metrics` serves beside the declared ones.
    private static let process: Set = [
        "process_cpu_seconds_total", "process_resident_memory_bytes", "process_virtual_memory_bytes",
        "process_open_fds", "process_max_fds", "process_threads", "process_start_time_seconds",
    ]

    /// The names of all series.
    private static let series: Set<String> = process.union(
        LapseMetrics.all.flatMap { metric in
            metric.kind == .histogram ? ["_bucket", "_count", "_sum"].map { metric.name + $0 } : [metric.name]
        })

    @Test(arguments: [
        "deploy/prometheus/lapse.rules.yml", "deploy/grafana/lapse.json", "deploy/prometheus/lapse.rules.test.yml",
    ])
    func metricsExist(path: String) throws {
        let names = Set(try Self.text(path).matches(of: /\b(?:lapse|process)_[a-z_]+/).map { String($0.output) })
        #expect(names.count >= 4)
        #expect(names.subtracting(Self.series) == [], "\(path)")
    }

    @Test("labels that the rules go by are those of the metrics")
    func labelsExist() throws {
        for path in ["deploy/prometheus/lapse.rules.yml", "deploy/grafana/lapse.json"] {
            for match in try Self.text(path).matches(of: /(lapse_[a-z_]+)\{([^}]*)\}/) {
                let name = match.output.1.replacing(/_(bucket|count|sum)$/, with: "")
                let metric = try #require(
                    LapseMetrics.all.first { $0.name == name || $0.name == String(match.output.1) }, "\(name)")
                let labels = match.output.2.matches(of: /([a-z]+)\\?=/).map { String($0.output.1) }
                let known = Set(metric.labels + ["job", "instance", "le"])
                #expect(Set(labels).subtracting(known) == [], "\(path): \(match.output.0)")
            }
        }
    }

    @Test func eachAlertHasItsRunbook() throws {
        let rules = try Self.text("deploy/prometheus/lapse.rules.yml")
        let alerts = rules.matches(of: /- alert: ([A-Za-z]+)/).map { String($0.output.1) }
        let sections = try Self.text("Sources/Lapse/Lapse.docc/Alerts.md").matches(of: /\n## ([A-Za-z]+)\n/)
            .map { String($0.output.1) }
        #expect(alerts.count > 10 && alerts == sections)
        let runbooks = rules.matches(of: /runbook: "Alerts#([A-Za-z]+)"/).map { String($0.output.1) }
        #expect(runbooks == alerts)
    }

    @Test func theDashboardIsJSON() throws {
        struct Dashboard: Decodable {
            struct Panel: Decodable {
                struct Target: Decodable { var expr: String }
                var id: Int
                var title: String
                var targets: [Target]
            }
            var title: String
            var panels: [Panel]
        }
        let data = Data(try Self.text("deploy/grafana/lapse.json").utf8)
        let dashboard = try JSONDecoder().decode(Dashboard.self, from: data)
        #expect(dashboard.panels.count > 10 && Set(dashboard.panels.map(\.id)).count == dashboard.panels.count)
        for panel in dashboard.panels {
            let isClosed = panel.targets.allSatisfy { $0.expr.count { $0 == "(" } == $0.expr.count { $0 == ")" } }
            #expect(isClosed, "\(panel.title)")
        }
    }

    private static let promtool = ["/usr/bin/promtool", "/usr/local/bin/promtool", "/bin/promtool"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    @Test(
        "promtool's own check and tests of the rules", .enabled(if: promtool != nil, "there is no promtool"),
        arguments: [["check", "rules", "lapse.rules.yml"], ["test", "rules", "lapse.rules.test.yml"]])
    func rulesFire(arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(filePath: try #require(Self.promtool))
        process.arguments = arguments
        process.currentDirectoryURL = Self.root.appending(path: "deploy/prometheus")
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(text)")
    }
}
