import Foundation
import Testing

/// The unit as systemd itself reads it, where its tools are installed.
@Suite(.timeLimit(.minutes(1))) struct UnitFileTests {
    private static let tool = "/usr/bin/systemd-analyze"
    private static var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: tool) }

    @Test(.enabled(if: isInstalled)) func systemdFindsNoMistake() throws {
        let unit = try #require(DeployFile.named("systemd/lapse.service"))
        #expect(try Self.complaints(unit.text) == [])
        // What it would say.
        let misspelt = unit.text.replacing("\nWatchdogSec=", with: "\nWatchdogSeconds=")
        #expect(try Self.complaints(misspelt).contains { $0.contains("WatchdogSeconds") })
    }

    private static func complaints(_ text: String) throws -> [String] {
        let folder = FileManager.default.temporaryDirectory.appending(path: "lapse-unit-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "lapse.service")
        // A program that is there: the shipped path is that of an installation.
        let installed = text.replacing("\nExecStart=/usr/local/bin/lapse run\n", with: "\nExecStart=/bin/true run\n")
        try #require(installed != text)
        try Data(installed.utf8).write(to: file)
        let errors = Pipe()
        let process = Process()
        process.executableURL = URL(filePath: tool)
        process.arguments = ["verify", "--man=no", file.path]
        process.standardError = errors
        try process.run()
        let output = try errors.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        // Other units of the machine are none of ours.
        return String(decoding: output, as: UTF8.self).split(separator: "\n").map(String.init)
            .filter { $0.contains("lapse.service") }
    }
}
