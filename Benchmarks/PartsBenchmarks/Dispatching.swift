import Benchmark
import Lapse
import LeaderElection
import RedisClient

/// From the log to the lanes and back.
func dispatching() {
    Benchmark("take_up_and_finish_1000_expirations", configuration: .counting(within: 2)) { benchmark in
        var node = HeardNode()
        node.hear(HeardNode.expirations(3000))
        var intake = leading(node.logs)
        handle(1000, &intake)
        benchmark.count { handle(1000, &intake) }
    }
}

/// A thousand handlers that fail once: the structure that keeps the times of the next attempts.
func retrying() {
    Benchmark("retry_1000_expirations", configuration: .counting(within: 2)) { benchmark in
        var node = HeardNode()
        node.hear(HeardNode.expirations(1000))
        var intake = leading(node.logs)
        var failed: [Work] = []
        while failed.count < 1000 {
            let batch = intake.take(Batch.limit)
            for index in batch.indices { failed.append(batch[index]) }
        }
        benchmark.count {
            for (index, work) in failed.enumerated() { intake.retry(work, at: .milliseconds(index * 7919 % 1000)) }
            for millisecond in 0..<1000 { blackHole(intake.wake(now: .milliseconds(millisecond))) }
            handle(1000, &intake)
        }
    }
}

/// A leader of 64 lanes over these logs.
private func leading(_ logs: LogBook) -> Intake {
    var intake = Intake(logs: logs, filter: KeyFilter(match: [], ignore: [], databases: [0]), lanes: 64)
    intake.note(HeardNode.poll)
    intake.begin(token: FencingToken(rawValue: 1), progress: [:], now: 1_000)
    return intake
}

private func handle(_ count: Int, _ intake: inout Intake) {
    var handled = 0
    while handled < count {
        let batch = intake.take(Batch.limit)
        precondition(!batch.isEmpty)
        // By index: an iterator of another module's collection would allocate for each.
        for index in batch.indices { intake.finish(batch[index]) }
        handled += batch.count
    }
}
