import Foundation
import LapseAdmin
import Testing

/// Each declared metric is emitted somewhere and explained in the manual; nothing else is.
struct DocumentedMetricsTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static func names(in text: String) -> Set<String> {
        Set(text.matches(of: /lapse_[a-z_]+/).map { String($0.output) })
    }

    private let declared = Set(LapseMetrics.all.map(\.name))

    @Test func theManualExplainsEachAndNoOther() throws {
        let manual = try String(
            contentsOf: Self.root.appending(path: "Sources/Lapse/Lapse.docc/Operating.md"), encoding: .utf8)
        let rows = manual.split(separator: "\n").filter { $0.hasPrefix("| `lapse_") }.joined()
        #expect(Self.names(in: rows) == declared)
    }

    @Test func eachIsEmittedAndNoOther() throws {
        let folder = Self.root.appending(path: "Sources/Lapse")
        let paths = try #require(FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil))
        var emitted: Set<String> = []
        for case let path as URL in paths where path.pathExtension == "swift" {
            let text = try String(contentsOf: path, encoding: .utf8)
            emitted.formUnion(text.matches(of: /label: "(lapse_[a-z_]+)"/).map { String($0.output.1) })
        }
        #expect(emitted == declared)
    }
}
