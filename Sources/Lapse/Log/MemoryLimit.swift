import FoundationEssentials

/// How much memory the system lets this process use, as far as it says so.
package enum MemoryLimit {
    /// Half of it for the logs, or 1 GiB where nothing is said.
    package static func forLogs(root: String = "/") -> Int { ofProcess(root: root).map { $0 / 2 } ?? 1 << 30 }

    /// The least limit of the control groups that hold this process, version 2 or 1, in bytes; nil without
    /// one.
    package static func ofProcess(root: String = "/") -> Int? {
        let groups = read(root + "proc/self/cgroup")?.split(separator: "\n") ?? []
        var files: [String] = []
        for group in groups {
            // `0::/path`, or `9:memory:/path` in version 1.
            let parts = group.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            if parts[1].isEmpty {
                files += ancestors(of: parts[2]).map { "sys/fs/cgroup\($0)/memory.max" }
            } else if parts[1].split(separator: ",").contains("memory") {
                files += ancestors(of: parts[2]).map { "sys/fs/cgroup/memory\($0)/memory.limit_in_bytes" }
            }
        }
        return files.compactMap { read(root + $0).flatMap(bytes) }.min()
    }

    /// The path itself, then the groups around it. In a container only the outermost one may be seen.
    private static func ancestors(of path: Substring) -> [String] {
        let names = path.split(separator: "/")
        return (0...names.count).reversed().map { names.prefix($0).map { "/\($0)" }.joined() }
    }

    /// `max`, and what version 1 writes for it, is no limit.
    static func bytes(_ text: String) -> Int? {
        guard let number = Int(text.prefix { $0.isASCII && $0.isNumber }), number > 0, number < 1 << 60 else {
            return nil
        }
        return number
    }

    private static func read(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }
}
