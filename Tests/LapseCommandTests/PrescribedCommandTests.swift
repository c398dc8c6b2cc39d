import ArgumentParser
import Foundation
import Testing

@testable import LapseCommand

/// No text prescribes a command that this build does not have.
struct PrescribedCommandTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// What strings of the product tell an operator to run: `lapse SUBCOMMAND --option …`.
    private static func prescribed() throws -> [String] {
        var commands: [String] = []
        for folder in ["Lapse", "LapseDoctor", "LapseCommand", "LapseAdmin"] {
            let paths = FileManager.default.enumerator(
                at: root.appending(path: "Sources/\(folder)"), includingPropertiesForKeys: nil)
            for case let path as URL in try #require(paths) where path.pathExtension == "swift" {
                for line in try String(contentsOf: path, encoding: .utf8).split(separator: "\n") {
                    guard !line.drop(while: \.isWhitespace).hasPrefix("//") else { continue }
                    commands += line.matches(of: /["'`](lapse [a-z][^"'`\\]*)/).map { String($0.output.1) }
                }
            }
        }
        return commands
    }

    /// Why the command's own parser refuses it; nil when it does not.
    private static func refusal(_ command: String) -> String? {
        // What stands for a value, and how a sentence goes on.
        let words = command.split(separator: " ").dropFirst().map { word in
            word.hasPrefix("--") ? word.trimmingCharacters(in: .punctuationCharacters.subtracting(["-"])) : String(word)
        }
        do {
            _ = try LapseCommand.parseAsRoot(words)
            return nil
        } catch {
            let text = LapseCommand.message(for: error)
            return LapseCommand.exitCode(for: error) == .success ? nil : text
        }
    }

    @Test func everyPrescribedCommandIsParsed() throws {
        let prescribed = try Self.prescribed().filter { $0.contains(" --") && !$0.contains("[") }
        #expect(prescribed.contains { $0.hasPrefix("lapse doctor") }, "nothing was found: \(prescribed)")
        for command in prescribed { #expect(Self.refusal(command) == nil, "\(command)") }
    }

    @Test(arguments: ["lapse run --punctually track", "lapse doctor --handler log", "lapse rum --acl"])
    func aWrongOneIsFound(command: String) { #expect(Self.refusal(command) != nil) }
}

extension CharacterSet {
    fileprivate func subtracting(_ characters: [Unicode.Scalar]) -> CharacterSet {
        characters.reduce(into: self) { $0.remove($1) }
    }
}
