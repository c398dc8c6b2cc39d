import Foundation
import Testing
import ThrowawayRedis

/// The children of another process.
enum ChildProcesses {
    static func of(_ pid: Int32) -> [Int32] {
        let text = try? String(contentsOfFile: "/proc/\(pid)/task/\(pid)/children", encoding: .utf8)
        return (text ?? "").split(separator: " ").compactMap { Int32($0) }
    }

    /// Waits until there is one.
    static func only(of pid: Int32) async throws -> Int32 {
        var found: [Int32] = []
        try await waitUntil("\(pid) has a child", within: .seconds(10)) {
            found = of(pid)
            return found.count == 1 ? nil : "\(found)"
        }
        return try #require(found.first)
    }
}

extension String {
    func matches(_ text: String) -> Int { components(separatedBy: text).count - 1 }
}
