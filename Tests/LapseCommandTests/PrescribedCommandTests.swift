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

    @Test func everyPrescribedCommandExists() throws {
        let subcommands = Set(LapseCommand.configuration.subcommands.map { $0.configuration.commandName })
        let options = Set(OptionCatalog.rows.map(\.flag)).union(["--help", "--version", "--"])
        let prescribed = try Self.prescribed()
        #expect(prescribed.contains { $0.hasPrefix("lapse doctor") }, "nothing was found: \(prescribed)")
        for command in prescribed {
            let words = command.split(separator: " ").map(String.init)
            guard words.dropFirst().contains(where: { $0.hasPrefix("--") }) else { continue }
            #expect(subcommands.contains(words[1]), "\(command)")
            for option in words where option.hasPrefix("--") {
                #expect(
                    options.contains(option.trimmingCharacters(in: .punctuationCharacters.subtracting(["-"]))),
                    "\(command)")
            }
        }
    }
}

extension CharacterSet {
    fileprivate func subtracting(_ characters: [Unicode.Scalar]) -> CharacterSet {
        characters.reduce(into: self) { $0.remove($1) }
    }
}
