import Synchronization

/// A Redis Cluster of throwaway servers, three masters with one replica each unless told otherwise.
///
/// Roles change as the cluster lives, so `masters()` and its like ask the nodes each time.
package final class ThrowawayCluster: Sendable {
    package let options: ClusterOptions
    private let members: Mutex<[ThrowawayServer]>

    static let slotCount = 16_384

    private init(_ options: ClusterOptions, members: [ThrowawayServer]) {
        self.options = options
        self.members = Mutex(members)
    }

    /// A healthy cluster, in about three seconds for six nodes: a new master serves nothing for its first
    /// two.
    package static func start(_ options: ClusterOptions = ClusterOptions()) async throws -> ThrowawayCluster {
        let count = options.masters * (1 + options.replicasPerMaster)
        let cluster = ThrowawayCluster(options, members: [])
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                // At once, since each takes a while to listen; the group awaits them.
                for _ in 0..<count { group.addTask { cluster.append(try await .start(options.nodeOptions)) } }
                try await group.waitForAll()
            }
            try await cluster.form()
            return cluster
        } catch {
            await cluster.shutDown()
            throw error
        }
    }

    /// All nodes, also those not running.
    package var nodes: [ThrowawayServer] { members.withLock { $0 } }

    /// Nodes that run and are not frozen.
    package var liveNodes: [ThrowawayServer] { nodes.filter(\.isLive) }

    /// `redis://127.0.0.1:30001,redis://127.0.0.1:30002,…`, without the password.
    package var urls: String { nodes.map(\.url).joined(separator: ",") }

    /// The live masters, in the order of their slots; one without slots comes last.
    package func masters() async throws -> [ThrowawayServer] {
        let view = try await view()
        let masters = view.entries.filter { $0.isMaster && !$0.isFailing }
            .sorted { ($0.slots.first?.lowerBound ?? .max) < ($1.slots.first?.lowerBound ?? .max) }
        return masters.compactMap { entry in liveNodes.first { $0.port == entry.port } }
    }

    /// The live replicas of a node.
    package func replicas(of node: ThrowawayServer) async throws -> [ThrowawayServer] {
        let view = try await view()
        guard let id = view.entry(port: node.port)?.id else { throw notAMember(node) }
        let replicas = view.entries.filter { $0.masterID == id && !$0.isFailing }
        return replicas.compactMap { entry in liveNodes.first { $0.port == entry.port } }
    }

    /// The node that serves a slot (0 to 16383) now.
    package func node(owningSlot slot: Int) async throws -> ThrowawayServer {
        let view = try await view()
        let owner = view.entries.first { entry in entry.slots.contains { $0.contains(slot) } }
        guard let owner, let node = nodes.first(where: { $0.port == owner.port }) else {
            throw ThrowawayRedisError("no node owns slot \(slot)")
        }
        return node
    }

    /// The slots that a node serves now.
    package func slots(of node: ThrowawayServer) async throws -> [ClosedRange<Int>] {
        guard let entry = try await view().entry(port: node.port) else { throw notAMember(node) }
        return entry.slots
    }

    package func kill(_ node: ThrowawayServer) async { await node.kill() }

    package func restart(_ node: ThrowawayServer) async throws { try await node.restart() }

    package func freeze(_ node: ThrowawayServer) { node.freeze() }

    package func resume(_ node: ThrowawayServer) { node.resume() }

    package func waitUntilRole(
        _ node: ThrowawayServer, _ role: ThrowawayServer.Role, within limit: Duration = .seconds(15)
    ) async throws {
        try await node.waitUntilRole(role, within: limit)
    }

    /// Ends all nodes and removes what they left on disk.
    package func shutDown() async {
        await withTaskGroup(of: Void.self) { group in
            // At once, since one that hangs is waited for; the group awaits them.
            for node in nodes { group.addTask { await node.shutDown() } }
        }
        members.withLock { $0 = [] }
    }

    func append(_ node: ThrowawayServer) { members.withLock { $0.append(node) } }

    func drop(_ node: ThrowawayServer) { members.withLock { $0.removeAll { $0 === node } } }

    func notAMember(_ node: ThrowawayServer) -> ThrowawayRedisError {
        ThrowawayRedisError("\(node.address) is not a node of this cluster")
    }

    /// The newest view that a live node has.
    func view() async throws -> ClusterView {
        let views = await views()
        guard let newest = views.values.max(by: { $0.epoch < $1.epoch }) else {
            throw ThrowawayRedisError("no node of the cluster answers: start or resume one")
        }
        return newest
    }

    /// The views of the live nodes that answer, by port.
    func views() async -> [Int: ClusterView] {
        await withTaskGroup(of: (Int, ClusterView?).self) { group in
            // At once, so that the views are of one moment; one without an answer is nil, and the group awaits
            // them.
            for node in liveNodes { group.addTask { (node.port, try? await node.clusterView()) } }
            var views: [Int: ClusterView] = [:]
            for await (port, view) in group { views[port] = view }
            return views
        }
    }
}
