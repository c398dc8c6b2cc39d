import Benchmark
import Lapse
import LeaderElection
import RedisClient

/// From the log to the lanes and back.
func dispatching() {
    Benchmark("take_up_and_finish_1000_expirations", configuration: .counting(within: 2)) { benchmark in
        var node = HeardNode()
        node.hear(HeardNode.expirations(3000))
        var machine = leading(node.logs)
        handle(1000, &machine)
        benchmark.count { handle(1000, &machine) }
    }
}

/// A thousand handlers that fail once: the structure that keeps the times of the next attempts.
func retrying() {
    Benchmark("retry_1000_expirations", configuration: .counting(within: 2)) { benchmark in
        var node = HeardNode()
        node.hear(HeardNode.expirations(1000))
        var machine = leading(node.logs)
        var failed: [Delivery] = []
        while failed.count < 1000 {
            let batch = machine.take(Batch.limit)
            for index in batch.indices { failed.append(batch[index]) }
        }
        benchmark.count {
            for (index, delivery) in failed.enumerated() {
                machine.retry(delivery, at: .milliseconds(index * 7919 % 1000))
            }
            for millisecond in 0..<1000 { blackHole(machine.releaseDue(now: .milliseconds(millisecond))) }
            handle(1000, &machine)
        }
    }
}

/// A leader of 64 lanes over these logs.
private func leading(_ logs: LogSet) -> DeliveryMachine {
    var machine = DeliveryMachine(logs: logs, filter: KeyFilter(match: [], ignore: [], databases: [0]), lanes: 64)
    machine.note(HeardNode.poll)
    machine.begin(token: FencingToken(rawValue: 1), progress: [:], now: 1_000)
    return machine
}

private func handle(_ count: Int, _ machine: inout DeliveryMachine) {
    var handled = 0
    while handled < count {
        let batch = machine.take(Batch.limit)
        precondition(!batch.isEmpty)
        // By index: an iterator of another module's collection would allocate for each.
        for index in batch.indices { machine.finish(batch[index]) }
        handled += batch.count
    }
}
