import Foundation
import Lapse
import LapseAdmin
import Testing

@testable import LapseCommand

/// What is wrong with a value is said in one line that names the option, and never shows a secret.
@Suite struct OptionValueTests {
    @Test(arguments: [
        ("250ms", Duration.milliseconds(250)), ("8s", .seconds(8)), ("2m", .seconds(120)), ("1h", .seconds(3600)),
        ("0s", .zero), ("8760h", .seconds(31_536_000)),
    ])
    func durations(text: String, value: Duration) throws { #expect(try Candidacy.drain.read(text) == value) }

    @Test(arguments: ["", "8", "s", "8x", "-1s", "1.5s", "8 s", "8S", "99999999999999999999s", "8761h", "٣s"])
    func noDurations(text: String) { #expect(throws: Malformed.self) { try Candidacy.drain.read(text) } }

    @Test(arguments: [
        ("64MiB", 64 << 20), ("64mb", 64 << 20), ("1GiB", 1 << 30), ("512kib", 512 << 10), ("65536", 65_536), ("7b", 7),
    ])
    func sizes(text: String, value: Int) throws { #expect(try Running.logBytes.read(text) == value) }

    @Test(arguments: ["", "MiB", "-1", "64 MiB", "1.5GiB", "64TB", "9223372036854775807GiB", "0x10"])
    func noSizes(text: String) { #expect(throws: Malformed.self) { try Running.logBytes.read(text) } }

    @Test(arguments: [
        ("lease-ttl", "8x"), ("log-bytes", "many"), ("concurrency", "0"), ("retries", "-1"), ("registers", "two"),
        ("database", "70000"), ("topology", "ring"), ("handler", "print"), ("notifications", "on"),
        ("on-loss", "panic"), ("store", "etcd"),
        ("redis", "http://x"), ("lock-servers", "x"), ("admin", "9464"), ("startup-timeout", "soon"),
        ("address-map", ""), ("name", ""),
    ])
    func aMalformedValueNamesItsOption(name: String, text: String) async throws {
        let row = try #require(OptionCatalog.rows.first { $0.name == name })
        let flag = await failure(["\(name)": [text]], [:])
        #expect(flag?.code == .usage)
        #expect(flag?.description.hasPrefix("--\(name): ") == true, "\(String(describing: flag))")
        guard !text.isEmpty else { return }
        let environment = await failure([:], [row.variable: text])
        #expect(environment?.description.hasPrefix("--\(name) (\(row.variable)): ") == true)
        let file = try TemporaryFile("\(row.fileKey): \"\(text)\"")
        let fromFile = await failure(["config": [file.path]], [:])
        #expect(fromFile?.description.hasPrefix("--\(name) (\(row.fileKey) in \(file.path)): ") == true)
    }

    @Test(arguments: [
        ("leesTtl: 8s", "unknown key 'leesTtl': did you mean 'leaseTtl'?"),
        ("nothing: 1", "unknown key 'nothing': see lapse run --help for the options"),
        ("leaseTtl: 8s\nlease:\n  ttl: 9s", "'lease.ttl' and 'leaseTtl' are the same option: keep one"),
        ("leaseTtl: [8s, 9s]", "takes one value, not a list"),
        ("just text", "cannot be read"), ("a: [", "cannot be read"),
    ])
    func aFileIsHeldToTheTable(text: String, complaint: String) async throws {
        let file = try TemporaryFile(text)
        let failure = await failure(["config": [file.path]], [:])
        #expect(failure?.code == .usage)
        let description = failure?.description ?? ""
        #expect(description.contains(complaint) && description.contains(file.path), "\(description)")
    }

    @Test func strangersInTheEnvironmentAreLeftAlone() async {
        // Kubernetes injects such names for a service called lapse.
        let strangers = ["LAPSE_PORT": "tcp://10.0.0.1:9464", "LAPSE_SERVICE_HOST": "10.0.0.1"]
        #expect(await failure([:], strangers) == nil)
    }

    @Test(arguments: [
        "redis://user:hunter2", "redis://user:hunt/er2@host", "redis://user:hunter2@host:x", "redis:/user:hunter2@host",
        "redis://user:hunter2@host/db", "redis://user:hunter2%@host", "redis://:hunter2@host:1?x=hunter2",
    ])
    func aPasswordIsNeverShown(url: String) async throws {
        let file = try TemporaryFile("redis: \"\(url)\"")
        for failure in [
            await failure(["redis": [url]], [:]), await failure([:], ["LAPSE_REDIS": url]),
            await failure(["config": [file.path]], [:]), await failure(["lock-servers": [url]], [:]),
        ] {
            let text = try #require(failure).description
            #expect(!text.contains("hunt") && !text.contains("er2"), "\(text)")
        }
    }

    /// Among the arguments of a program there may be a password.
    @Test(arguments: ["exec", "exec-stream"], ["send --token hunter2 'x", "'' hunter2", "send hunter2 \\"])
    func aProgramsArgumentsAreNeverShown(name: String, text: String) async throws {
        let row = try #require(OptionCatalog.rows.first { $0.name == name })
        let file = try TemporaryFile("\(row.fileKey): |-\n  \(text)\n")
        for failure in [
            await failure([name: [text]], [:]), await failure([:], [row.variable: text]),
            await failure(["config": [file.path]], [:]),
        ] {
            let text = try #require(failure).description
            #expect(text.hasPrefix("--\(name)") && text.contains(": the value "), "\(text)")
            #expect(!text.contains("hunter2"), "\(text)")
        }
    }

    @Test func aBrokenFileIsNotQuoted() async throws {
        let file = try TemporaryFile("redis: redis://user:hunter2@host\n  : [")
        let text = try #require(await failure(["config": [file.path]], [:])).description
        #expect(!text.contains("hunter2"), "\(text)")
    }

    @Test func aMissingPasswordFileIsNamed() async throws {
        let failure = await failure(["redis-password-file": ["/nowhere/password"]], [:])
        #expect(failure?.description.hasPrefix("--redis-password-file: /nowhere/password cannot be read") == true)
    }

    @Test func aFailureIsOneLine() {
        #expect(Failure(.internal, "first\nsecond\r\nthird").description == "first second third")
    }

    @Test(arguments: [("leese-ttl", "lease-ttl"), ("databse", "database"), ("nam", "name")])
    func nearMissesAreFound(word: String, meant: String) {
        #expect(Spelling.nearest(to: word, in: OptionCatalog.rows.map(\.name)) == meant)
    }

    @Test(arguments: [
        ("notify", ["notify"]), ("  a  b\t'c d' ", ["a", "b", "c d"]),
        (#"a "b 'c'" d\ e ''"#, ["a", "b 'c'", "d e", ""]),
        (#"a 'b\c' \$HOME *"#, ["a", #"b\c"#, "$HOME", "*"]),
    ])
    func wordsAreReadWithoutAShell(text: String, words: [String]) throws {
        #expect(try CommandWords(parsing: text).words == words)
    }

    @Test(arguments: ["", "  ", "a 'b", "a \"b", "a \\", "'' a", "a\0b"])
    func whatIsNoCommandIsRefused(text: String) {
        #expect(throws: Malformed.self) { try CommandWords(parsing: text) }
    }

    /// What a run with these options ends with.
    private func failure(_ given: [String: [String]], _ environment: [String: String]) async -> Failure? {
        do {
            let values = try await OptionValues(given: given, environment: environment)
            _ = try ProcessorConfiguration(values)
            _ = try (
                values(Running.admin), values(Running.handler), values(LogLines.level), values(LogLines.format),
                values(Electing.onLoss), values(Election.store), values(Running.exec), values(Running.execStream)
            )
            return nil
        } catch { return Failure(error) }
    }
}
