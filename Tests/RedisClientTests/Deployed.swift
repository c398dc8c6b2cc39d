import Logging
import NIOCore
import NIOPosix
import RESP
import ThrowawayRedis

@testable import RedisClient

/// A watch that looks often, with its clients, as the product puts them together.
struct Deployed: Sendable {
    let watch: TopologyWatch
    let nodes: NodeDirectory
    let client: KeyedClient
    private let sentinels: NodeDirectory
    private let running: Task<Void, Never>

    static func start(_ seeds: RedisSeeds, interval: Duration = .milliseconds(100)) async throws -> Deployed {
        let loops: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
        let settings = ConnectionSettings(clientName: "lapse:test:one:command")
        let nodes = NodeDirectory(settings: settings, on: loops)
        let sentinels = NodeDirectory(settings: settings, on: loops)
        let watch = TopologyWatch(
            seeds: seeds, nodes: nodes, sentinels: sentinels, interval: interval, on: loops.next(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        try await watch.discover()
        let running = Task { await watch.run() }
        return Deployed(
            watch: watch, nodes: nodes, client: KeyedClient(nodes: nodes, watch: watch, on: loops.next()),
            sentinels: sentinels, running: running)
    }

    func stop() async {
        running.cancel()
        await running.value
        await nodes.shutDown()
        await sentinels.shutDown()
    }

    /// Waits until the view is as wanted.
    func wait(_ what: String, _ isMet: (Topology) -> Bool) async throws {
        try await waitUntil(what, within: .seconds(20)) {
            guard let topology = watch.current else { return "there is no view" }
            return isMet(topology) ? nil : "\(topology.nodes.map { "\($0.address) \($0.role) \($0.slotCount)" })"
        }
    }
}

extension KeyedClient {
    func text(_ key: String, _ words: String..., timeout: Duration = .seconds(10)) async throws -> String? {
        let reply = try await send(.init(words), key: key, timeout: timeout)
        return reply.int.map(String.init) ?? reply.string
    }
}
