import ArgumentParser
import Foundation
import Testing

@testable import LapseCommand

/// No text prescribes a command that this build does not have.
struct PrescribedCommandTests {
    private static let sources = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Sources")
    private static let notShipped = ["Development/", "Examples/"]

    /// What strings of the product tell an operator to run.
    private static func prescribed() throws -> [PrescribedCommand] {
        let paths = FileManager.default.enumerator(atPath: sources.path)?.compactMap { $0 as? String } ?? []
        var commands: [PrescribedCommand] = []
        for path in paths where path.hasSuffix(".swift") && !notShipped.contains(where: { path.hasPrefix($0) }) {
            let text = try String(contentsOf: sources.appending(path: path), encoding: .utf8)
            for line in text.split(separator: "\n") where !line.drop(while: \.isWhitespace).hasPrefix("//") {
                commands += PrescribedCommand.all(in: String(line))
            }
        }
        return commands
    }

    @Test func everyPrescribedCommandIsParsed() throws {
        let prescribed = try Self.prescribed()
        for text in ["doctor", "run --punctual track", "dead-letters list", "resume", "status"] {
            #expect(prescribed.contains { $0.text.hasPrefix(text) }, "lapse \(text) is not found: \(prescribed)")
        }
        for command in prescribed { #expect(command.refusal == nil, "lapse \(command.text)") }
    }

    @Test(arguments: [
        #""fix": "lapse run --punctually track""#, "say 'lapse doctor --handler log'", "see `lapse rum --acl`",
        #"fix: "lapse rum --acl""#, #""see lapse run --punctually""#, #""'lapse dead-letters lst' lists""#,
        #""see lapse config chek.""#, #""after `lapse resume --for 5`""#, #""lapse pause a while""#,
    ])
    func aWrongOneIsFound(line: String) {
        #expect(PrescribedCommand.all(in: line).contains { $0.refusal != nil })
    }

    @Test(
        "the end of a command in a sentence is found",
        arguments: [
            (#""the rights that lapse doctor --acl --punctual track prints""#, 1),
            (#""what is it? Give --exec, as for lapse run, or --stream""#, 1),
            ("  lapse run --stream s      for any number of: lapse work --stream s --group g", 2),
            ("  lapse run --match 'session:*' --exec '/bin/true'", 1),
            (#""does one lead? (lapse status)""#, 1), (#"return "'lapse status --name \(name(1))'""#, 1),
            (#""as in lapse elect --name cron -- ./job --nightly""#, 1),
            (#""see lapse run --help for the options""#, 1),
        ])
    func aRightOneIsParsed(line: String, count: Int) {
        let commands = PrescribedCommand.all(in: line)
        #expect(commands.count == count)
        for command in commands { #expect(command.refusal == nil, "\(command)") }
    }

    @Test(arguments: [
        #""lapse starts""#, #"logger.info("lapse has ended")"#, #""an election that lapse --supervise runs""#,
        #""the same build of lapse for writer and workers""#, #""did you mean 'lapse \($0)'?""#,
    ])
    func proseIsNoCommand(line: String) { #expect(PrescribedCommand.all(in: line).isEmpty) }
}

/// A command line of `lapse` in a text.
private struct PrescribedCommand {
    /// The words behind `lapse`, up to the end of the quotation or of the sentence's part.
    private let words: [String]
    /// How many of them are the command's at least. Behind them a sentence may go on.
    private let certain: Int

    var text: String { words.joined(separator: " ") }

    static func all(in line: String) -> [Self] {
        // What is filled in when it runs stands for a value.
        let line = line.replacing(/\\\((?:[^()]|\([^()]*\))*\)/, with: "X")
        return line.matches(of: /(^|[^A-Za-z.\/-])lapse (?=[a-z])/).compactMap { match in
            Self(line[match.range.upperBound...], behind: match.output.1.first)
        }
    }

    private init?(_ text: Substring, behind mark: Character?) {
        let isQuoted = mark == "'" || mark == "`" || mark == "\""
        let command = text.prefix { $0 != "\\" && (isQuoted ? $0 != mark : $0 != "\"" && $0 != ")") }
        var words: [String] = []
        for word in command.split(separator: "  ")[0].split(separator: " ") {
            let isLast = !isQuoted && ",.;:?!".contains(word.last ?? " ")
            words.append((isLast ? word.dropLast() : word).trimmingCharacters(in: CharacterSet(charactersIn: "'")))
            if isLast { break }
        }
        let subcommand = LapseCommand.configuration.subcommands.first { $0.configuration.commandName == words[0] }
        let isCommand = isQuoted && (mark != "\"" || words.contains { $0.hasPrefix("--") })
        // A summary of the usage has brackets.
        guard subcommand != nil || isCommand, !command.contains("[") else { return nil }
        var certain = words.count
        if !isQuoted {
            certain = min(subcommand?.configuration.subcommands.isEmpty == false ? 2 : 1, words.count)
            for (index, word) in words.enumerated().dropFirst(certain) {
                guard word.hasPrefix("--") || words[index - 1].hasPrefix("--") else { break }
                if word.hasPrefix("--") { certain = index + 1 }
            }
        }
        self.words = words
        self.certain = certain
    }

    /// Why the command's own parser refuses it; nil when it does not.
    var refusal: String? {
        var refusal: String?
        for count in certain...words.count {
            do {
                _ = try LapseCommand.parseAsRoot(Array(words.prefix(count)))
                return nil
            } catch {
                // Help, or the version.
                if LapseCommand.exitCode(for: error) == .success { return nil }
                refusal = LapseCommand.message(for: error)
            }
        }
        return refusal
    }
}
