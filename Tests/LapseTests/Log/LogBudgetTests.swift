import Foundation
import RedisClient
import Testing

@testable import Lapse

/// Row 58: what all logs of a replica hold together.
struct LogBudgetTests {
    @Test(
        "the largest are cut first, and those alike are cut alike",
        arguments: [
            ([10, 10, 10], 30, Int.max), ([10, 50, 40], 60, 25), ([10, 50, 12], 60, 38), ([5, 5, 5], 6, 2),
            ([], 6, Int.max),
            ([7], 3, 3), ([0, 0, 9], 3, 3),
        ])
    func theLevel(held: [Int], target: Int, level: Int) {
        #expect(LogBudget.level(of: held, within: target) == level)
        #expect(held.map { min($0, level) }.reduce(0, +) <= max(target, 0))
    }

    private func fill(_ log: NodeLog, _ entries: Int) {
        log.hear([])
        let keys = (0..<100).map { "session:\($0):" + String(repeating: "x", count: 200) }
        for _ in 0..<entries / 100 { log.hearMore(keys) }
    }

    @Test("all logs full at once stay within the bound, and what it costs is missing in the log", arguments: [12, 100])
    func manyLogsAtOnce(nodes: Int) {
        let limit = 10 << 20
        let book = LogSet(limitBytes: 64 << 20, limitAge: .seconds(60), totalBytes: limit)
        let logs = (0..<nodes).map { book.log(of: "run\($0)", at: NodeAddress(host: "10.0.0.\($0)", port: 6379)) }
        let each = 100_000 / nodes / 100 * 100
        for log in logs { fill(log, each) }
        #expect(book.budget.held <= limit)
        #expect(book.budget.held > limit / 2, "no more is dropped than is needed")
        #expect(book.budget.held == logs.reduce(0) { $0 + $1.footprint })
        for log in logs {
            let counts = log.counts
            #expect(counts.last == UInt64(each) && counts.entries > 0)
            let missing = log.missing(in: 1...UInt64(each)).reduce(0) { $0 + $1.count }
            #expect(missing + counts.entries == each, "each is kept or missing")
        }
    }

    @Test func aSmallLogIsLeftAloneWhereALargeOneHasTheBlame() {
        let book = LogSet(limitBytes: 64 << 20, limitAge: .seconds(60), totalBytes: 1 << 20)
        let small = book.log(of: "small", at: NodeAddress(host: "10.0.0.1", port: 6379))
        let large = book.log(of: "large", at: NodeAddress(host: "10.0.0.2", port: 6379))
        fill(small, 1_000)
        fill(large, 20_000)
        #expect(small.firstOrdinal == 1)
        #expect((large.firstOrdinal ?? 0) > 1)
        #expect(book.budget.held <= 1 << 20)
    }

    @Test("what was reserved in vain counts, and is given back when the chunk is closed")
    func chunksThatEndEarly() {
        var log = ExpirationLog()
        var number: UInt64 = 0
        for look in 0..<200 {
            for _ in 0..<(look == 0 ? 5_000 : 3) {
                number += 1
                log.add(Array("session:\(number)".utf8), number, provenance: .trusted(look: look))
            }
        }
        #expect(log.footprint > log.bytes && log.footprint < log.bytes * 2 + 200 * 1_600)
        log.trim(through: number)
        #expect(log.footprint == 0)
    }

    @Test func aLogThatIsGoneCostsNothing() {
        let book = LogSet(limitBytes: 64 << 20, limitAge: .seconds(1), totalBytes: 1 << 20)
        fill(book.log(of: "run", at: NodeAddress(host: "10.0.0.1", port: 6379)), 1_000)
        #expect(book.budget.held > 0)
        book["run"]?.subscriptionEnded(now: 1)
        book["run"]?.trim(through: 1_000)
        book.tidy(now: 1_000_000, monotonic: .seconds(1))
        #expect(book.all.isEmpty && book.budget.held == 0)
    }
}

/// How much memory the system grants.
struct MemoryLimitTests {
    private func limit(_ files: [String: String]) throws -> Int? {
        let root = FileManager.default.temporaryDirectory.appending(path: "lapse-cgroup-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: root) }
        for (path, text) in files {
            let file = root.appending(path: path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
        }
        return MemoryLimit.ofProcess(root: root.path + "/")
    }

    @Test func ofVersionTwo() throws {
        #expect(try limit(["proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "536870912\n"]) == 512 << 20)
        #expect(try limit(["proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"]) == nil)
        let nested = [
            "proc/self/cgroup": "0::/a.slice/b.service\n", "sys/fs/cgroup/a.slice/memory.max": "1000000\n",
            "sys/fs/cgroup/a.slice/b.service/memory.max": "2000000\n",
        ]
        #expect(try limit(nested) == 1_000_000)
    }

    @Test func ofVersionOne() throws {
        let file = "sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes"
        let groups = "12:cpu,cpuacct:/docker/x\n9:memory:/docker/x\n"
        #expect(try limit(["proc/self/cgroup": groups, file: "268435456\n"]) == 256 << 20)
        #expect(try limit(["proc/self/cgroup": groups, file: "9223372036854771712\n"]) == nil)
        #expect(try limit([:]) == nil)
    }
}
