import Foundation
import LapseHandlers
import Synchronization
import Testing
import ThrowawayRedis

/// Lines of many tasks into one pipe.
@Suite(.timeLimit(.minutes(1))) struct LineOutputTests {
    @Test func linesNeverMix() async throws {
        let ends = try PipeEnds()
        let output = LineOutput(ends.write)
        let reader = Task.detached {
            var all: [UInt8] = []
            var lines = 0
            while lines < 2000 {
                let chunk = ends.next(700)
                lines += chunk.count { $0 == 10 }
                all += chunk
            }
            return all
        }
        await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<20 {
                group.addTask {
                    for number in 0..<100 {
                        let filler = String(repeating: "\(task % 10)", count: (number * 37) % 900)
                        try await output.write(Array("\(task) \(number) \(filler)\n".utf8))
                    }
                }
            }
        }
        var next = [Int](repeating: 0, count: 20)
        for line in String(decoding: await reader.value, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ", omittingEmptySubsequences: false)
            try #require(words.count == 3)
            let task = try #require(Int(words[0]))
            #expect(Int(words[1]) == next[task], "a task's lines keep their order")
            #expect(words[2].allSatisfy { $0 == Character("\(task % 10)") })
            next[task] += 1
        }
        #expect(next.allSatisfy { $0 == 100 })
        close(ends.read)
    }

    @Test func aClosedReaderIsToldOnce() async throws {
        signal(SIGPIPE, SIG_IGN)
        let ends = try PipeEnds()
        let told = Mutex<[String]>([])
        let output = LineOutput(ends.write, onBroken: { broken in told.withLock { $0.append(broken.description) } })
        close(ends.read)
        for _ in 0..<3 {
            await #expect(throws: LineOutput.Broken.self) { try await output.write([10]) }
        }
        // Told behind the continuation of the first line.
        while told.withLock({ $0.isEmpty }) { await Task.yield() }
        #expect(told.withLock { $0 } == ["stdout is closed: its reader has ended"])
    }

    @Test func aStuckReaderHoldsUpNobodyWhoIsCancelled() async throws {
        let ends = try PipeEnds()
        let output = LineOutput(ends.write)
        let big = [UInt8](repeating: 65, count: 1 << 20)
        let stuck = Task { try await output.write(big) }
        try await waitUntil("the first is stuck", within: .seconds(20)) { ends.isFull ? nil : "there is room" }
        let waiting = Task { try await output.write([10]) }
        stuck.cancel()
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await stuck.value }
        await #expect(throws: CancellationError.self) { try await waiting.value }
        // Let the writer's thread go.
        var left = big.count
        while left > 0 { left -= ends.next(1 << 16).count }
        close(ends.read)
    }
}
