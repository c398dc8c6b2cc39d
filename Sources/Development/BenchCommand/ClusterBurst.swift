import LeaderElection
import LeaderElectionRedis
import ThrowawayRedis

/// All keys of three masters run out at once; the leader must handle every one, and no feed may be cut
/// off.
struct ClusterBurst {
    let lapse: String
    let events: Int

    func run() async throws -> String {
        var options = ClusterOptions()
        // The limit on output buffers stays at its default: not to be cut off is part of the promise.
        options.server.extra = ["enable-debug-command yes"]
        let cluster = try await ThrowawayCluster.start(options)
        do {
            let report = try await run(on: cluster)
            await cluster.shutDown()
            return report
        } catch {
            await cluster.shutDown()
            throw error
        }
    }

    private func run(on cluster: ThrowawayCluster) async throws -> String {
        let masters = try await cluster.masters()
        let process = try await ThrowawayProcess.start(lapse, Subject.run(cluster.urls, 64))
        try await waitUntil("lapse leads", within: .seconds(20)) {
            process.output.contains("became leader") ? nil : process.output
        }
        try await Task.sleep(for: .seconds(3))
        let idle = process.memory
        let bursts = masters.map { ExpirationBurst(server: $0) }
        for (burst, tag) in try await zip(bursts, tags(of: masters, in: cluster)) {
            try await burst.load(events / masters.count, tag: tag)
        }
        let cost = try await Measurement.of(process) {
            for burst in bursts { try await burst.releaseSlowly() }
            try await waitUntil("every key has expired", within: .seconds(120)) {
                var announced = 0
                for burst in bursts { announced += try await burst.announced() }
                return announced >= events / masters.count * masters.count ? nil : "\(announced) have"
            }
        }
        var announced: [Int] = []
        for burst in bursts { announced.append(try await burst.announced()) }
        try await waitUntil("the progress says that all is handled", within: .seconds(20)) {
            let progress = try await progress(in: cluster)
            for (master, count) in zip(masters, announced)
            where !progress.contains("\(count) 0 \(master.address) -") {
                return "\(master.address) announced \(count); the progress is \(progress)"
            }
            return nil
        }
        let cut = process.output.split(separator: "\n").count { $0.contains("subscription lost") || $0.contains("gap") }
        return """

            burst on three masters, six nodes: \(announced.reduce(0, +)) announced, all handled, \
            feeds cut or gaps: \(cut), CPU s per million \
            \(BenchRow.seconds(cost.processorTime * 1_000_000 / events)), wall s \(BenchRow.seconds(cost.wallTime)), \
            RSS \(idle >> 20) -> \(process.memory >> 20) MiB
            """
    }

    /// A hash tag for each master whose slot it owns.
    private func tags(of masters: [ThrowawayServer], in cluster: ThrowawayCluster) async throws -> [String] {
        var tags: [Int: String] = [:]
        var number = 0
        while tags.count < masters.count {
            let tag = "b\(number)"
            let slot = try await masters[0].cli("CLUSTER", "KEYSLOT", tag)
            let owner = try await cluster.node(owningSlot: Int(slot) ?? 0)
            if tags[owner.port] == nil { tags[owner.port] = tag }
            number += 1
        }
        return masters.compactMap { tags[$0.port] }
    }

    private func progress(in cluster: ThrowawayCluster) async throws -> String {
        try await cluster.nodes[0].cli("-c", "HVALS", ElectionKeys.registers(3, name: "default")[0].progress)
    }
}
