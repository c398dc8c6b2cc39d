import Foundation

/// The executables that were built with these tests.
enum Binary {
    static var lapse: String { ProcessInfo.processInfo.environment["LAPSE_BINARY"] ?? built("lapse") }

    /// The test bundle lies in the build's folder, and so do the executables.
    static func built(_ name: String) -> String {
        let tests = Bundle.main.executableURL ?? URL(filePath: CommandLine.arguments[0])
        return tests.deletingLastPathComponent().appending(path: name).path
    }

    /// How one run of the command ended, and all that it printed.
    struct Answer: Sendable {
        var code: Int32
        var text: String
    }

    /// One run of the command, to its end.
    static func run(_ arguments: [String]) async throws -> Answer {
        let process = Process()
        process.executableURL = URL(filePath: lapse)
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
        return await withCheckedContinuation { continuation in
            // A thread, since reading blocks; and read before it ends, since a pipe holds little.
            Thread.detachNewThread {
                let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
                process.waitUntilExit()
                continuation.resume(returning: Answer(code: process.terminationStatus, text: text))
            }
        }
    }
}
