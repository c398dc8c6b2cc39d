import ArgumentParser
import Console
import Foundation
import Lapse
import LapseAdmin
import Logging
import Testing

@testable import LapseCommand

/// The table of options: one row is one option, everywhere.
@Suite struct OptionTableTests {
    private static let runRows =
        Connection.rows + Election.rows + Candidacy.rows + Wanted.rows + Running.rows + Supervising.rows + LogLines.rows

    @Test(arguments: [
        ("lease-ttl", "LAPSE_LEASE_TTL", "leaseTtl"), ("redis", "LAPSE_REDIS", "redis"),
        ("redis-password-file", "LAPSE_REDIS_PASSWORD_FILE", "redisPasswordFile"),
    ])
    func namesFollowFromOne(name: String, variable: String, fileKey: String) {
        let row = OptionRow(name: name, help: "")
        #expect(row.variable == variable)
        #expect(row.fileKey == fileKey)
        #expect(OptionRow.name(ofFileKey: fileKey) == name)
    }

    @Test(arguments: ["leaseTtl", "leaseTTL", "lease-ttl", "lease.ttl"])
    func aFileMaySpellItsOwnWay(key: String) { #expect(OptionRow.name(ofFileKey: key) == "lease-ttl") }

    @Test func noNameIsTakenTwice() {
        let names = OptionCatalog.rows.map(\.name)
        #expect(names.count == Set(names).count)
    }

    /// It is given the options of `lapse run`.
    @Test(arguments: Wanted.rows.map(\.name))
    func theDoctorKnowsWhichKeysAreWanted(name: String) throws {
        let command = try #require(try LapseCommand.parseAsRoot(["doctor", "--\(name)", "1"]) as? DoctorCommand)
        #expect(command.examination.values == [name: ["1"]])
    }

    /// The image says LAPSE_SUPERVISE=on for each of them.
    @Test(arguments: Supervising.rows.map(\.name))
    func workersHaveParentsToo(name: String) throws {
        let command = try #require(try LapseCommand.parseAsRoot(["work", "--\(name)", "on"]) as? WorkCommand)
        #expect(command.supervising.values == [name: ["on"]])
        #expect(LapseCommand.helpMessage(for: WorkCommand.self).contains("--\(name) <"))
    }

    /// Once: in a debug build it takes most of a second.
    private static let help = LapseCommand.helpMessage(for: RunCommand.self)

    @Test(arguments: runRows.map(\.name))
    func everyOptionIsInTheHelp(name: String) {
        #expect(Self.help.contains("--\(name) <"), "\(Self.help)")
    }

    @Test(arguments: runRows.map(\.name))
    func everyOptionIsReadFromEverywhere(name: String) async throws {
        let row = try #require(Self.runRows.first { $0.name == name })
        // The parser's view of the table is by reflection: this is what holds it to its word.
        let command = try #require(try LapseCommand.parseAsRoot(["run", row.flag, "from-flag"]) as? RunCommand)
        let given = [
            command.options.connection.values, command.options.election.values, command.options.candidacy.values,
            command.options.wanted.values,
            command.options.running.values, command.options.supervising.values, command.options.logLines.values,
        ].reduce(into: [:]) { $0.merge($1) { $1 } }
        #expect(given == [name: ["from-flag"]])

        // The file is opened, so it cannot have just any name.
        guard row.name != Connection.config.row.name else { return }
        let file = try TemporaryFile("\(row.fileKey): from-file\n")
        let flag = try await OptionValues(given: given, environment: [row.variable: "from-environment"])
        #expect(try texts(flag, row) == ["from-flag"])
        let environment = try await OptionValues(
            given: ["config": [file.path]], environment: [row.variable: "from-environment"])
        #expect(try texts(environment, row) == ["from-environment"])
        let fromFile = try await OptionValues(given: [:], environment: ["LAPSE_CONFIG": file.path])
        #expect(try texts(fromFile, row) == ["from-file"])
        let standard = try await OptionValues(given: [:], environment: [row.variable: ""])
        #expect(try texts(standard, row) == [row.standard].compactMap(\.self))
    }

    @Test func theDefaultsAreTheLibrarys() async throws {
        let read = try ProcessorConfiguration(try await OptionValues(given: [:], environment: [:]))
        let library = ProcessorConfiguration()
        #expect(read.redis == library.redis)
        #expect(read.name == library.name)
        #expect(read.topology == library.topology)
        #expect(read.connectTimeout == library.connectTimeout)
        #expect(read.startupTimeout == library.startupTimeout)
        #expect(read.leaseTTL == library.leaseTTL)
        #expect(read.registers == library.registers)
        #expect(read.notifications == library.notifications)
        #expect(read.concurrency == library.concurrency)
        #expect(read.handlerTimeout == library.handlerTimeout)
        #expect(read.retries == library.retries)
        #expect(read.deadLetter == library.deadLetter)
        #expect(read.logBytes == library.logBytes)
        #expect(read.logAge == library.logAge)
        #expect(read.drain == library.drain)
        #expect(read.companions == library.companions)
        #expect(read.reconcileInterval == library.reconcileInterval)
        #expect(read.punctual == library.punctual)
        #expect(read.punctualBytes == library.punctualBytes)
        #expect(read.canary == library.canary)
    }

    @Test func repeatableOptionsTakeMany() async throws {
        let flags = try await OptionValues(
            given: ["match": ["a, b", "c"], "redis": ["redis://a,redis://b", "redis://c"]], environment: [:])
        #expect(try flags.all(Wanted.match) == ["a", "b", "c"])
        #expect(try flags.all(Connection.redis) == ["redis://a", "redis://b", "redis://c"])

        let environment = try await OptionValues(
            given: [:], environment: ["LAPSE_MATCH": "a:*, b:*", "LAPSE_DATABASE": "0,3"])
        #expect(try environment.all(Wanted.match) == ["a:*", "b:*"])
        #expect(try environment.all(Wanted.database) == [0, 3])

        let file = try TemporaryFile(
            #"{"match": ["a,b", "c"], "ignore": "x,y", "database": [1, 2], "redis": "redis://a,redis://b"}"#)
        let listed = try await OptionValues(given: ["config": [file.path]], environment: [:])
        #expect(try listed.all(Wanted.match) == ["a", "b", "c"])
        #expect(try listed.all(Wanted.ignore) == ["x", "y"])
        #expect(try listed.all(Wanted.database) == [1, 2])
        #expect(try listed.all(Connection.redis) == ["redis://a", "redis://b"])
    }

    /// One rule for the command line, the environment and a file.
    @Test(arguments: [
        (#"a\,b,c"#, [#"a\,b"#, "c"]), ("a[,;]b,c", ["a[,;]b", "c"]), (#"a\\,b"#, [#"a\\"#, "b"]), ("a[b,c", ["a[b,c"]),
        (" a , b ", ["a", "b"]),
    ])
    func aCommaMayBelongToAGlob(text: String, globs: [String]) async throws {
        let file = try TemporaryFile("match: '\(text)'\n")
        for values in [
            try await OptionValues(given: ["match": [text]], environment: [:]),
            try await OptionValues(given: [:], environment: ["LAPSE_MATCH": text]),
            try await OptionValues(given: ["config": [file.path]], environment: [:]),
        ] { #expect(try values.all(Wanted.match) == globs) }
    }

    @Test func aCommaMayBelongToAValue() async throws {
        let values = try await OptionValues(
            given: ["companion": [#"a\,*=>b:*,c:*=>d:*"#]], environment: ["LAPSE_COMPANION": "never"])
        #expect(try values.all(Wanted.companion) == ["a,*=>b:*", "c:*=>d:*"])
    }

    @Test func aFlagCountsBeforeAListInTheEnvironment() async throws {
        let values = try await OptionValues(given: ["match": ["a"]], environment: ["LAPSE_MATCH": "b,c"])
        #expect(try values.all(Wanted.match) == ["a"])
    }

    @Test func aFileMayNest() async throws {
        let file = try TemporaryFile("lease:\n  ttl: 3s\nlog: {level: debug, format: json}\nretries: 7\n")
        let values = try await OptionValues(given: ["config": [file.path]], environment: [:])
        #expect(try values(Candidacy.leaseTTL) == .seconds(3))
        #expect(try values(LogLines.level) == .debug)
        #expect(try values(LogLines.format) == .json)
        #expect(try values(Running.retries) == 7)
    }

    @Test func aPasswordComesFromAFile() async throws {
        let file = try TemporaryFile("s3cret word\n")
        var configuration = ProcessorConfiguration()
        try configuration.connect(try await OptionValues(given: ["redis-password-file": [file.path]], environment: [:]))
        #expect(configuration.password == "s3cret word")
        #expect(configuration.passwordFile == file.path)
    }

    private func texts(_ values: OptionValues, _ row: OptionRow) throws -> [String] {
        let raw = Setting<String>(row: row) { text throws(Malformed) in text }
        switch row.arity {
        case .one, .flag: return [try values(raw)].compactMap(\.self)
        case .list, .globs: return try values.all(raw)
        }
    }
}

/// A file that is removed with its last reference.
final class TemporaryFile: Sendable {
    private let url = FileManager.default.temporaryDirectory.appending(path: "lapse-test-\(UUID().uuidString)")
    var path: String { url.path }

    init(_ text: String) throws { try Data(text.utf8).write(to: url) }

    deinit { try? FileManager.default.removeItem(at: url) }
}
