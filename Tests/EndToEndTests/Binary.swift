import Foundation

/// The executables that were built with these tests.
enum Binary {
    static var lapse: String { ProcessInfo.processInfo.environment["LAPSE_BINARY"] ?? built("lapse") }

    /// The test bundle lies in the build's folder, and so do the executables.
    static func built(_ name: String) -> String {
        let tests = Bundle.main.executableURL ?? URL(filePath: CommandLine.arguments[0])
        return tests.deletingLastPathComponent().appending(path: name).path
    }
}
