import Foundation
import Testing

/// The manual's page of log lines and the sources name the same lines from warning up.
@Suite struct DocumentedLogLinesTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    private static let unlisted = ["Development", "Examples"]

    /// Fixed texts of calls like `logger.warning("…"`, and of `logger.log(level: …warning…, "…"`, up to
    /// what is filled in.
    private static func messages() throws -> Set<String> {
        let sources = root.appending(path: "Sources")
        let paths = FileManager.default.enumerator(atPath: sources.path)?.compactMap { $0 as? String } ?? []
        var found: Set<String> = []
        for path in paths where path.hasSuffix(".swift") && !unlisted.contains(where: { path.hasPrefix($0) }) {
            let text = try String(contentsOf: sources.appending(path: path), encoding: .utf8)
            let calls = [
                #/ogger\.(?:warning|error|critical)\(\s*"((?:[^"\\]|\\[^(])+)/#,
                #/level: [^,\n]*\.(?:warning|error|critical)[^,\n]*,\s*(?:isOver \? "[^"]*" : )?"((?:[^"\\]|\\[^(])+)/#,
                #/ say\("((?:[^"\\]|\\[^(])+)/#,
                #/\w, \.(?:warning|error)[,\s]+"((?:[^"\\]|\\[^(])+)/#,
            ]
            for call in calls { for match in text.matches(of: call) { found.insert(String(match.output.1)) } }
        }
        return Set(found.map { $0.trimmingCharacters(in: .init(charactersIn: ": ")) })
    }

    private static func page(_ name: String) throws -> String {
        try String(contentsOf: root.appending(path: "Sources/Lapse/Lapse.docc/\(name).md"), encoding: .utf8)
    }

    @Test func pageAndSourcesNameTheSame() throws {
        let messages = try Self.messages()
        #expect(messages.count > 60, "the sources are not read as they were: \(messages.sorted())")
        let rows = try Self.page("LogLines").matches(of: /\n\| `([^`]+)` \|/).map { String($0.output.1) }
        #expect(Set(rows).count == rows.count)
        #expect(messages.subtracting(rows).sorted() == [], "in the sources, not on the page")
        #expect(Set(rows).subtracting(messages).sorted() == [], "on the page, not in the sources")
    }

    @Test("each all-clear that the page names is a line of the sources")
    func allClears() throws {
        let page = try Self.page("LogLines")
        let lines = page.matches(of: /All-clear: `([^`]+)`/).map { String($0.output.1) }
        #expect(lines.count > 10)
        let sources = Self.root.appending(path: "Sources")
        let paths = FileManager.default.enumerator(atPath: sources.path)?.compactMap { $0 as? String } ?? []
        let text = try paths.filter { $0.hasSuffix(".swift") }
            .map { try String(contentsOf: sources.appending(path: $0), encoding: .utf8) }.joined()
        for line in lines { #expect(text.contains("\"\(line)\""), "\(line)") }
    }
}
