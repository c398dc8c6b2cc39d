import Foundation
import Testing

/// A file under `deploy/`, read as lines in which a backslash at the end has been undone.
struct DeployFile: CustomTestStringConvertible, Sendable {
    let path: String
    let text: String

    var testDescription: String { path }

    /// Programs whose options are none of ours. A line that runs one of them speaks of its options alone.
    private static let otherPrograms = ["redis-cli", "redis-server", "docker", "kubectl", "swift", "apt-get"]

    /// What of the file speaks of Lapse's own options.
    var ownLines: [Substring] {
        text.replacing("\\\n", with: " ").split(separator: "\n").filter { line in
            let words = line.split { !($0.isLetter || $0.isNumber || $0 == "-") }
            // COPY takes options in a Dockerfile.
            return !words.contains { Self.otherPrograms.contains(String($0)) } && words.first != "COPY"
        }
    }

    /// The first number of seconds that stands behind this key: `key: 20s`, `key=30s` or `key: 30`.
    func seconds(_ key: String) -> Int? {
        for line in text.split(separator: "\n") {
            let line = line.trimmingCharacters(in: .whitespaces)
            guard line.hasPrefix(key) else { continue }
            let value = line.dropFirst(key.count).drop { $0 == ":" || $0 == "=" || $0 == " " }
            return Int(value.prefix { $0.isNumber })
        }
        return nil
    }

    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "deploy")

    static let all: [DeployFile] = {
        let paths = FileManager.default.enumerator(atPath: root.path)?.compactMap { $0 as? String } ?? []
        return paths.sorted().compactMap { path in
            (try? String(contentsOf: root.appending(path: path), encoding: .utf8)).map { Self(path: path, text: $0) }
        }
    }()

    static func named(_ path: String) -> DeployFile? {
        all.first { $0.path == path }
    }
}
