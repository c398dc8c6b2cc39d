import ArgumentParser
import Foundation
import Testing

@testable import LapseCommand

/// `lapse config`: what the options come to, and where they come from.
@Suite struct ConfigTests {
    @Test func eachValueIsShownWithItsPlace() async throws {
        let file = try TemporaryFile("leaseTtl: 3s\nmatch: [a, b]\nretries: 1\n")
        let values = try await OptionValues(
            given: ["name": ["sessions"], "config": [file.path]],
            environment: ["LAPSE_RETRIES": "7", "LAPSE_REDIS": "redis://:secret@h:1"])
        func shown(_ row: OptionRow) -> [String?] {
            let option = ShownOption(row, values)
            return [option.value, option.from]
        }
        #expect(shown(Election.name.row) == ["sessions", "command line"])
        #expect(shown(Candidacy.leaseTTL.row) == ["3s", "leaseTtl in \(file.path)"])
        #expect(shown(Wanted.match.row) == ["a, b", "match in \(file.path)"])
        #expect(shown(Running.retries.row) == ["7", "LAPSE_RETRIES"])
        #expect(shown(Running.handlerTimeout.row) == ["30s", "default"])
        #expect(shown(Connection.redis.row) == ["set", "LAPSE_REDIS"])
        #expect(shown(Running.deadLetter.row).first == .some(nil))
    }

    @Test func everyOptionOfRunIsShown() {
        let help = LapseCommand.helpMessage(for: RunCommand.self)
        for row in RunOptionGroups.rows { #expect(help.contains(row.flag), "\(row.name)") }
        let flags = help.split(whereSeparator: { $0 == " " || $0 == "\n" }).filter {
            $0.hasPrefix("--") && $0.count > 2
        }
        let known = Set(RunOptionGroups.rows.map(\.flag) + ["--help", "--version"])
        let begins = help.split(separator: "\n").filter { $0.hasPrefix("  --") }
            .compactMap { $0.split(separator: " ").first.map(String.init) }
        #expect(!flags.isEmpty && begins.allSatisfy(known.contains), "\(begins.filter { !known.contains($0) })")
    }

    @Test(.timeLimit(.minutes(1))) func theCheckFindsTheFirstMistake() async throws {
        #expect(try await LapseBinary.run(["config", "check"]).output == "ok\n")
        #expect(try await LapseBinary.run(["config", "check", "--stream", "expirations"]).output == "ok\n")
        for (arguments, word) in [
            (["--lease-ttl", "soon"], "--lease-ttl"), (["--webhook", "ftp://x"], "--webhook"),
            (["--log-level", "loud"], "--log-level"), (["--registers", "2"], "--registers"),
        ] {
            let run = try await LapseBinary.run(["config", "check"] + arguments)
            #expect(run.code == 64 && run.lastLine.contains(word), "\(run)")
        }
        let shown = try await LapseBinary.run(
            ["config", "show", "--redis", "redis://u:pa55@h:1"], environment: ["LAPSE_DRAIN": "3s"])
        #expect(shown.code == 0 && !shown.output.contains("pa55"))
        #expect(shown.output.contains(/--drain +3s +LAPSE_DRAIN/), "\(shown.output)")
    }
}
