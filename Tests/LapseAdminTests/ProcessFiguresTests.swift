import Testing

@testable import LapseAdmin

struct ProcessFiguresTests {
    private func read(_ stat: String) -> ProcessFigures? {
        ProcessFigures(stat: stat, bootTime: 1_000, ticksPerSecond: 100, pageSize: 4_096)
    }

    @Test("the fields of proc(5) are found behind a name with blanks and parentheses")
    func aStrangeName() throws {
        let figures = try #require(
            read("42 (a) b (c)) S 1 42 42 0 -1 4194304 5 0 0 0 150 50 0 0 20 0 7 0 2500 8192000 300 1844674 1"))
        #expect(figures.cpuSeconds == 2 && figures.threads == 7 && figures.startTime == 1_025)
        #expect(figures.virtualMemory == 8_192_000 && figures.residentMemory == 300 * 4_096)
    }

    @Test(arguments: [
        "", "42 (a", "42 (a) S 1 2", "42 (a) S 1 42 42 0 -1 4194304 5 0 0 0 x 50 0 0 20 0 7 0 2500 8192000 300",
    ])
    func whatCannotBeReadIsNothing(_ stat: String) { #expect(read(stat) == nil) }

    @Test func thePageTellsOfThisProcess() throws {
        let page = try #require(ProcessFigures.now()).rendered
        for name in ["cpu_seconds_total", "open_fds", "resident_memory_bytes", "start_time_seconds"] {
            let line = try #require(page.split(separator: "\n").first { $0.hasPrefix("process_\(name) ") })
            #expect(try #require(Double(line.split(separator: " ")[1])) > 0, "\(line)")
        }
    }
}
