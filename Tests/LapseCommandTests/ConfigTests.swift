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

    @Test(
        "a file that is empty, holds comments alone or YAML's null names no option",
        arguments: [
            "", "\n", "# all of it\n#name: x\n", "~\n", "---\n", "null\n", "{}\n",
        ])
    func filesWithoutOptions(text: String) async throws {
        let file = try TemporaryFile(text)
        let values = try await OptionValues(given: ["config": [file.path]], environment: [:])
        #expect(try values(Election.name) == "default")
    }

    @Test(arguments: [
        "name: ~\n", "name:\n", "name: \n", "name: null\n", "name: Null\n", "name: NULL\n", "{\"name\": null}\n",
    ])
    func aKeyWithoutAValue(text: String) async throws {
        let file = try TemporaryFile(text)
        let failure = await #expect(throws: Failure.self) {
            _ = try await OptionValues(given: ["config": [file.path]], environment: [:])
        }
        #expect(failure?.description.contains("'name' has no value") == true)
    }

    @Test func aConfigThatIsNoName() async throws {
        for path in ["", "~/lapse.yaml"] {
            let failure = await #expect(throws: Failure.self) {
                _ = try await OptionValues(given: ["config": [path]], environment: [:])
            }
            #expect(failure?.code == .usage && failure?.description.hasPrefix("--config: ") == true)
        }
    }

    @Test(
        "the arguments of a program may hold a password",
        arguments: OptionCatalog.rows.filter { $0.value == "command" }.map(\.name))
    func argumentsOfPrograms(name: String) async throws {
        let row = try #require(OptionCatalog.rows.first { $0.name == name })
        let values = try await OptionValues(given: [name: ["/usr/bin/handle --token s3cret"]], environment: [:])
        #expect(ShownOption(row, values).value == "/usr/bin/handle and 2 arguments")
    }

    @Test func theOptionsThatNameAProgramAreFound() {
        // By what help calls their value: a row has no type.
        let names = OptionCatalog.rows.filter { $0.value == "command" }.map(\.name)
        #expect(names.contains(Running.exec.row.name) && names.contains(Running.execStream.row.name))
        #expect(OptionCatalog.rows.filter { $0.name.hasPrefix("exec") }.allSatisfy { names.contains($0.name) })
    }

    @Test(.timeLimit(.minutes(1))) func aMisspeltSubcommandIsToldTheNearest() async throws {
        let run = try await LapseBinary.run(["statsu"])
        #expect(run.code == 64 && run.lastLine.contains("did you mean 'lapse status'?"), "\(run.errors)")
    }

    @Test(.timeLimit(.minutes(1))) func theEndIsJSONWhereTheLogIs() async throws {
        let run = try await LapseBinary.run(["run", "--log-format", "json", "--retries", "many"])
        #expect(run.code == 64)
        let read = try JSONDecoder().decode([String: String].self, from: Data(run.lastLine.utf8))
        #expect(read["level"] == "critical" && read["message"]?.contains("--retries") == true)
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
        for store in ["etcd://h:2379/prefix", "consul://h:8500"] {
            #expect(try await LapseBinary.run(["config", "check", "--store", store]).output == "ok\n")
        }
        for (arguments, word) in [
            (["--lease-ttl", "soon"], "--lease-ttl"), (["--webhook", "ftp://x"], "--webhook"),
            (["--log-level", "loud"], "--log-level"), (["--registers", "2"], "--registers"),
            (["--store", "etcd://ann@h:2379"], "--store-password-file"),
            (["--store", "consul://u@h"], "tokens, not users"), (["--store", "mysql://h/db"], "--store: "),
            (["--store", "etcd+tls://h", "--store-tls-ca", "/nowhere/ca.pem"], "--store-tls-ca: /nowhere/ca.pem"),
            (["--store", "consul+tls://h", "--store-tls-ca", "/nowhere/ca.pem"], "--store-tls-ca: /nowhere/ca.pem"),
            (["--store", "etcd://h", "--store-tls-ca", "/nowhere/ca.pem"], "write etcd+tls://"),
            (["--store", "consul://h", "--registers", "3"], "registers and lock servers"),
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
