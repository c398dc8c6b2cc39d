import Synchronization
import Testing
import ThrowawayRedis
import Timing

@testable import Lapse

@Suite(.timeLimit(.minutes(1)))
struct TurnstileTests {
    @Test("a task that is cancelled waits no longer, and those behind it keep their order")
    func cancelled() async throws {
        let turnstile = Turnstile()
        let (inside, end) = (Gate(), Gate())
        let passed = Passed()
        let first = Task {
            try await turnstile.pass {
                inside.open()
                await end.wait()
            }
        }
        await inside.wait()
        var tasks: [Task<Void, any Error>] = []
        for number in 1...3 {
            tasks.append(Task { try await turnstile.pass { passed.add(number) } })
            try await waitUntil("it waits", within: .seconds(20), every: .milliseconds(1)) {
                turnstile.waiting == number ? nil : "\(turnstile.waiting) wait"
            }
        }
        tasks[1].cancel()
        let result = await tasks[1].result
        #expect(throws: CancellationError.self) { try result.get() }
        #expect(turnstile.waiting == 2)
        end.open()
        for task in [first, tasks[0], tasks[2]] { try await task.value }
        try await turnstile.pass { passed.add(4) }
        #expect(passed.numbers == [1, 3, 4])
    }

    @Test("one that is cancelled before does not enter, and leaves the way free")
    func cancelledBefore() async throws {
        let turnstile = Turnstile()
        let begin = Gate()
        let passed = Passed()
        let task = Task {
            // Open to a task that is cancelled.
            await begin.wait()
            try await turnstile.pass { passed.add(1) }
        }
        task.cancel()
        let result = await task.result
        #expect(throws: CancellationError.self) { try result.get() }
        try await turnstile.pass { passed.add(2) }
        #expect(passed.numbers == [2])
    }
}

/// The numbers of the tasks that passed, in order.
private final class Passed: Sendable {
    private let all = Mutex<[Int]>([])

    var numbers: [Int] { all.withLock { $0 } }

    func add(_ number: Int) { all.withLock { $0.append(number) } }
}
