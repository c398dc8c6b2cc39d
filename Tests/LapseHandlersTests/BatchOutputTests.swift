import Foundation
import Lapse
import LapseHandlers
import Synchronization
import Testing
import ThrowawayRedis

/// How far a batch came when its reader does not read, or the lease has ended.
@Suite(.timeLimit(.minutes(1))) struct BatchOutputTests {
    private func lines(_ count: Int, of size: Int) -> Lines {
        var lines = Lines()
        for number in 0..<count {
            let text = "\(number) " + String(repeating: "x", count: size) + "\n"
            lines.append { $0 += Array(text.utf8) }
        }
        return lines
    }

    @Test("row 83: of what was not read, as many lines count as were written, and none is torn")
    func anUnreadPipe() async throws {
        let ends = try PipeEnds()
        var output: LineOutput? = LineOutput(ends.write)
        let lines = lines(500, of: 1_000)
        let writing = Task { [output] in await output?.write(lines) }
        try await waitUntil("the pipe is full", within: .seconds(20)) { ends.isFull ? nil : "there is room" }
        writing.cancel()
        let outcome = try #require(await writing.value)
        #expect(outcome.error is CancellationError)
        #expect(outcome.lines > 0 && outcome.lines < 500)
        let reading = Task.detached { ends.all() }
        output = nil
        let text = String(decoding: await reading.value, as: UTF8.self)
        let read = text.split(separator: "\n").count
        #expect(text.hasSuffix("\n"), "the line that had been begun is finished")
        #expect(read == outcome.lines || read == outcome.lines + 1)
        #expect(text.split(separator: "\n").enumerated().allSatisfy { $1.hasPrefix("\($0) ") && $1.utf8.count > 1_000 })
    }

    @Test("row 7: the lease is asked before each write")
    func aLeaseThatHasEnded() async throws {
        let ends = try PipeEnds()
        var output: LineOutput? = LineOutput(ends.write)
        let isLeading = Atomic(true)
        let lines = lines(500, of: 1_000)
        let writing = Task { [output] in
            await output?.write(lines) { isLeading.load(ordering: .sequentiallyConsistent) }
        }
        try await waitUntil("the pipe is full", within: .seconds(20)) { ends.isFull ? nil : "there is room" }
        isLeading.store(false, ordering: .sequentiallyConsistent)
        let reading = Task.detached { ends.all() }
        let outcome = try #require(await writing.value)
        #expect(outcome.error != nil && outcome.lines < 500)
        // The pipe ends with the output.
        output = nil
        let text = String(decoding: await reading.value, as: UTF8.self)
        #expect(text.split(separator: "\n").count == outcome.lines && text.hasSuffix("\n"))
    }

    @Test func aFileTakesEverything() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "lines-\(UUID())")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data().write(to: file)
        let handle = try FileHandle(forWritingTo: file)
        let output = LineOutput(handle.fileDescriptor)
        for _ in 0..<3 {
            let outcome = await output.write(lines(64, of: 300))
            #expect(outcome.lines == 64 && outcome.error == nil)
        }
        let text = try String(contentsOf: file, encoding: .utf8)
        #expect(text.split(separator: "\n").count == 192)
    }
}
