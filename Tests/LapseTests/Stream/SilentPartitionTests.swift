import ExpirationStream
import RESP
import Testing
import ThrowawayRedis

@testable import Lapse

/// Partitions on several masters, one of which is silent.
@Suite(.timeLimit(.minutes(2)), .serialized) struct SilentPartitionTests {
    @Test("twenty partitions of a silent master do not keep those of the others from being trimmed")
    func silentMaster() async throws {
        var options = ClusterOptions()
        options.replicasPerMaster = 0
        options.server.extra = ["cluster-require-full-coverage no"]
        let cluster = try await ThrowawayCluster.start(options)
        let stream = try RunningStream(cluster.nodes[0].url, partitions: 60) { configuration, _ in
            configuration.redis = cluster.nodes.map(\.url)
        }
        let keys = stream.destination.keys
        let partition = keys.partitions[59]
        let silent = try await cluster.node(owningSlot: Int(HashSlot.of(keys.partitions[0])))
        let living = try await cluster.node(owningSlot: Int(HashSlot.of(partition)))
        let layout = try await cluster.node(owningSlot: Int(HashSlot.of(keys.layout)))
        #expect(living !== silent && layout !== silent)
        try await stream.run {
            try await waitUntil("it leads the stream", within: .seconds(20)) {
                let count = try await layout.cli("HGET", keys.layout, "partitions")
                return count == "60" ? nil : count
            }
            cluster.freeze(silent)
            try await living.cli("XADD", partition, "*", "key", "k:1")
            try await living.cli("XGROUP", "CREATE", partition, "g", "0")
            try await living.cli("XREADGROUP", "GROUP", "g", "c", "NOACK", "STREAMS", partition, ">")
            // One after the other the twenty would take twice as long, two seconds each.
            try await waitUntil("what is acknowledged is taken away", within: .seconds(20)) {
                let length = try await living.cli("XLEN", partition)
                return length == "0" ? nil : length
            }
            try await waitUntil("the silent ones are said", within: .seconds(20)) {
                let told = stream.log.lines("stream cannot be appended to")
                return told.contains { $0.hasSuffix("stream=\(keys.partitions[0])") } ? nil : "\(told.count)"
            }
            cluster.resume(silent)
            try await waitUntil("they are looked after again", within: .seconds(40)) {
                let told = stream.log.lines("stream is appended to again")
                return told.contains { $0.hasSuffix("stream=\(keys.partitions[0])") } ? nil : "\(told.count)"
            }
        }
        await cluster.shutDown()
    }
}
