import Foundation
import LapseAdmin
import Testing

@testable import Lapse

/// Each declared metric is emitted somewhere and explained in the manual; nothing else is.
struct DocumentedMetricsTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Names with their labels, as `name{label,label}`.
    private static func names(in text: String) -> Set<String> {
        Set(text.matches(of: /lapse_[a-z_]+(\{[a-z,]+\})?/).map { String($0.output.0) })
    }

    private let declared = Set(
        LapseMetrics.all.map { $0.labels.isEmpty ? $0.name : "\($0.name){\($0.labels.joined(separator: ","))}" })

    @Test func theManualExplainsEachAndNoOther() throws {
        let manual = try String(
            contentsOf: Self.root.appending(path: "Sources/Lapse/Lapse.docc/Operating.md"), encoding: .utf8)
        // The first table with metrics explains them, the second one says what to do about alarms.
        let table = try #require(manual.split(separator: "\n\n").first { $0.contains("| `lapse_leader`") })
        let rows = table.split(separator: "\n").filter { $0.hasPrefix("| `lapse_") }.joined()
        #expect(Self.names(in: rows) == declared)
    }

    @Test func eachHasItsInstrument() throws {
        let instruments = try ["ProcessorMetrics", "NodeSeries", "ReplicaInstruments"].map {
            try String(contentsOf: Self.root.appending(path: "Sources/Lapse/Metrics/\($0).swift"), encoding: .utf8)
        }.joined()
        for (property, _) in Mirror(reflecting: LapseMetrics.declared).children {
            let property = try #require(property)
            #expect(instruments.contains("declared.\(property)."), "\(property) is declared, and has no instrument")
        }
        #expect(!instruments.contains("label: \"lapse_"), "a metric has its name in its declaration only")
    }
}
