import Foundation
import Glibc
import Processes
import Testing
import Timing

@testable import LapseCommand

/// What a program of `lapse elect` leaves behind, below its guard alone.
@Suite(.timeLimit(.minutes(1)), .serialized) struct GuardLeftoversTests {
    /// Becomes a daemon as usual, and ends while that is still forking. Ten times: when it is looked for is
    /// left to chance.
    @Test func aDaemonEndsWithTheProgram() async throws {
        for round in 0..<10 {
            let mark = "1000.\(UInt32.random(in: 100_000_000...999_999_999))"
            let program = "setsid sh -c '(sleep \(mark) &) &'; exit 0"
            var ends: [Int32] = [0, 0]
            let opened = unsafe pipe(&ends)
            try #require(opened == 0)
            let (reading, writing) = (ends[0], ends[1])
            // Open to the end: its closing would say that lapse is gone.
            defer { for descriptor in [reading, writing] { close(descriptor) } }
            let child = try await ChildProcess.spawn(
                LapseBinary.path, [ProgramGuard.word, "1000", "text", "sh", "-c", program], control: reading,
                diesWithParent: false)
            let now = SystemClock.read()
            let limit = ClockReading(monotonic: now.monotonic + .seconds(60), wall: now.wall + .seconds(60))
            let order = Array("\(GuardMachine.Order.start(term: 1, token: 1, until: limit).line)\n".utf8)
            let written = unsafe write(writing, order, order.count)
            #expect(written == order.count)
            await child.waitForExit()
            #expect(child.exitStatus == 0)
            let left = Self.processes(with: mark)
            #expect(left.isEmpty, "round \(round)")
            for pid in left { kill(pid, SIGKILL) }
        }
    }

    /// Those with this text in their command lines.
    private static func processes(with mark: String) -> [Int32] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.filter { pid in
            let line = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") ?? Data()
            return String(decoding: line, as: UTF8.self).contains(mark)
        }
    }
}
