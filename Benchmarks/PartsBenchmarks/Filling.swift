import Benchmark
import Lapse

/// Bytes to log entries: the log allocates when a chunk is full, not for an entry.
func filling() {
    Benchmark("append_10000_expirations_to_the_log", configuration: .counting(within: 2)) { benchmark in
        let bytes = HeardNode.expirations(10_000)
        var node = HeardNode()
        node.hear(HeardNode.expirations(1000))
        benchmark.count { node.hear(bytes) }
        precondition(node.log.counts.entries == 11_000)
    }
}
