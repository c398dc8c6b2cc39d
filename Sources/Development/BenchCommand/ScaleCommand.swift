import ArgumentParser
import ThrowawayRedis

/// What an idle group of replicas costs as the cluster grows: half the nodes are masters, half are
/// their replicas.
struct ScaleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scale", abstract: "An idle group over clusters of real servers: processor, memory, traffic.")

    @OptionGroup var executable: LapseExecutable
    @Option(parsing: .upToNextOption, help: "Nodes of the cluster, an even number each.") var nodes = [6, 24, 50, 100]
    @Option(parsing: .upToNextOption, help: "Replicas of Lapse.") var replicas = [3]
    @Option(help: "Seconds of rest that are measured.") var seconds = 30

    func run() async throws {
        Console.show("replicas of Lapse at rest, over \(seconds) s each\n")
        Console.show(ScaleRow.header)
        for count in nodes {
            var options = ClusterOptions()
            options.masters = count / 2
            options.replicasPerMaster = 1
            // Many processes on few cores are slow to answer one another; nothing fails here on purpose.
            options.nodeTimeout = .seconds(15)
            let cluster = try await ThrowawayCluster.start(options)
            do {
                for group in replicas { Console.show(try await measure(cluster, group).text) }
                await cluster.shutDown()
            } catch {
                await cluster.shutDown()
                throw error
            }
        }
    }

    private func measure(_ cluster: ThrowawayCluster, _ count: Int) async throws -> ScaleRow {
        let urls = cluster.nodes.prefix(3).map(\.url).joined(separator: ",")
        var group: [ThrowawayProcess] = []
        for number in 0..<count {
            group.append(
                try await ThrowawayProcess.start(
                    executable.path,
                    [
                        "run", "--redis", urls, "--handler", "none", "--admin", "off", "--name", "scale\(count)",
                        "--id", "\(number)",
                    ]))
        }
        let nodes = cluster.nodes.count
        try await waitUntil("all are subscribed and one leads", within: .seconds(60)) {
            let outputs = group.map(\.output)
            for output in outputs where output.count(of: " subscribed ") < nodes {
                return "\(output.count(of: " subscribed ")) of \(nodes): \(output.suffix(300))"
            }
            return outputs.contains { $0.contains("became leader") } ? nil : "no replica leads"
        }
        // The first marks and the first looks are no rest.
        try await Task.sleep(for: .seconds(5))
        let quiet = try await ServerCounts.of(cluster)
        let before = group.map(\.processorTime)
        let began = ContinuousClock.now
        try await Task.sleep(for: .seconds(seconds))
        let after = group.map(\.processorTime)
        let took = ContinuousClock.now - began
        let counts = try await ServerCounts.of(cluster)
        let leader = group.firstIndex { $0.output.contains("became leader") } ?? 0
        let shares = zip(before, after).map { ($1 - $0) / took }
        let row = ScaleRow(
            nodes: nodes, replicas: count, leader: shares[leader],
            follower: shares.enumerated().filter { $0.offset != leader }.map(\.element).max(),
            memory: group.map(\.memory).max() ?? 0, traffic: counts - quiet, took: took)
        for process in group { await process.kill() }
        return row
    }
}

extension String {
    fileprivate func count(of text: String) -> Int { ranges(of: text).count }
}
