import Foundation

/// What the command says of its own options.
struct CommandHelp: Sendable {
    /// Help text of a subcommand.
    let text: @Sendable (_ subcommand: String) throws -> String

    static let subcommands = ["run", "tail", "doctor", "status", "elect", "health", "work", "demo"]

    struct Missing: Error, CustomStringConvertible {
        let description: String
    }

    /// Every mistake in these lines, one a line.
    func mistakes(in file: DeployFile) throws -> [String] {
        let known = try Dictionary(
            uniqueKeysWithValues: Self.subcommands.map { ($0, OptionNames(in: try text($0)).flags) })
        let anywhere = known.values.reduce(into: Set<String>()) { $0.formUnion($1) }
        return file.ownLines.flatMap { line in
            let named = OptionNames(in: line)
            // Without a subcommand on the line it is about the service.
            let subcommand = Self.subcommands.first { line.contains("lapse \($0)") } ?? "run"
            let flags = named.flags.subtracting(known[subcommand] ?? [])
                .map { "\(file.path): \($0) is no option of lapse \(subcommand)" }
            let variables = named.variables.filter { !anywhere.contains(OptionNames.flag(for: $0)) }
                .map { "\(file.path): \($0) stands for \(OptionNames.flag(for: $0)), which no subcommand has" }
            return (flags + variables).sorted()
        }
    }

    /// The command as built, beside the tests or where `LAPSE_BINARY` says.
    static let live = CommandHelp { subcommand in
        let binary = binary
        guard FileManager.default.isExecutableFile(atPath: binary.path) else {
            throw Missing(description: "no command at \(binary.path): build it, or set LAPSE_BINARY")
        }
        let process = Process()
        process.executableURL = binary
        process.arguments = [subcommand, "--help"]
        let output = Pipe()
        process.standardOutput = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0, !bytes.isEmpty else {
            let status = process.terminationStatus
            throw Missing(description: "lapse \(subcommand) --help printed \(bytes.count) bytes, exit \(status)")
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static var binary: URL {
        if let path = ProcessInfo.processInfo.environment["LAPSE_BINARY"] { return URL(filePath: path) }
        let tests = Bundle.main.executableURL ?? URL(filePath: CommandLine.arguments[0])
        return tests.deletingLastPathComponent().appending(path: "lapse")
    }
}
