import Endpoints
import ExpirationStream
package import Lapse
import LeaderElection
import LeaderElectionRedis
import Logging
import NIOCore
import NIOPosix
import RESP
import RedisClient
import Timing

/// Looks at every server of a deployment the way Lapse would use it, and tells what is wrong and how to
/// mend it.
package final class Doctor: Sendable {
    private let configuration: ProcessorConfiguration
    private let deployment: Deployment
    private let lockServers: [LockServer]
    private let group: MultiThreadedEventLoopGroup
    private let nodes: NodeDirectory
    private let sentinels: NodeDirectory
    private let watch: TopologyWatch
    private let onWait: @Sendable (String) -> Void
    /// How many servers are examined at once.
    private static let breadth = 32

    private struct LockServer: Sendable {
        var client: NodeClient
        var facts: NodeFacts
    }

    /// Throws ``LapseError``. End with ``shutDown()``; the store of the configuration stays open.
    ///
    /// - Parameter onWait: told why no server has been found yet, each reason once.
    package init(
        _ configuration: ProcessorConfiguration, onWait: @escaping @Sendable (String) -> Void = { _ in }
    ) throws(LapseError) {
        try configuration.validate()
        self.onWait = onWait
        self.configuration = configuration
        deployment = try Deployment(configuration)
        let settings = deployment.settings(for: "doctor", configuration)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        self.group = group
        nodes = NodeDirectory(settings: settings, on: group)
        sentinels = NodeDirectory(settings: deployment.sentinelSettings, on: group)
        watch = TopologyWatch(
            seeds: deployment.seeds, nodes: nodes, sentinels: sentinels, on: group.any(),
            logger: Logger(label: "doctor"))
        var servers: [LockServer] = []
        for text in configuration.lockServers {
            do throws(RedisURLError) {
                let url = try RedisURL(text)
                let own = try settings.independent(url, of: deployment.seeds)
                var facts = NodeFacts(url.address, .master, .unreachable("does not answer"))
                facts.isLockServer = true
                servers.append(
                    LockServer(client: NodeClient(url.address, settings: own, on: group.any()), facts: facts))
            } catch {
                throw .configuration("lockServers", "\(error)")
            }
        }
        lockServers = servers
    }

    /// Looks once. Throws ``LapseError`` when no server can be reached within the startup timeout (none: at
    /// once), or none lets us in.
    @concurrent
    package func examine() async throws(LapseError) -> DoctorReport {
        let topology = try await discover()
        try await ImpossibleSettings(configuration, deployment, nodes: nodes).check(topology)
        let count = configuration.registers ?? (topology.mode == .cluster ? 3 : 1)
        let keys = ElectionKeys.registers(count, name: configuration.name)
        let rights = try AccessRights(configuration, deployment, mode: topology.mode)
        let tags = Self.trialTags(topology)
        var examinations = topology.nodes.map { node in
            NodeExamination(
                client: nodes[node.address], known: NodeFacts(node), name: configuration.name, mode: topology.mode,
                registers: keys.filter { topology.owner(of: HashSlot.of($0.lock))?.address == node.address },
                rights: rights, trialTag: tags[node.address])
        }
        let lockKeys = ElectionKeys.registers(1, name: configuration.name)
        examinations += lockServers.map { server in
            NodeExamination(
                client: server.client, known: server.facts, name: configuration.name, mode: .standalone,
                registers: lockKeys, rights: rights)
        }
        let examined = Self.announcing(await examine(examinations))
        var facts = DeploymentFacts(mode: topology.mode, nodes: examined, registers: registers(keys, topology))
        if let store = configuration.store {
            facts.storeRegisters = await StoreTrial(store: store, name: configuration.name).registers()
        }
        facts.uncoveredSlots = topology.uncoveredSlots
        facts.name = configuration.name
        facts.leaseTTL = configuration.leaseTTL
        facts.user = deployment.settings.credentials?.user ?? "default"
        facts.rights = rights
        facts.login = RedisLogin(deployment.settings, configuration.tls)
        let client = KeyedClient(nodes: nodes, watch: watch, on: group.any())
        facts.sharedIDs = await sharedIDs(keys, client)
        if let letters = await held(configuration.deadLetter.map { [$0] } ?? [], client).first {
            switch letters.standing {
            case .holds(let type): facts.deadLetter = (letters.key, type)
            case .refused(let text): facts.deadLetterRefusal = text
            }
        }
        facts.partitions = await held(configuration.stream?.keys.partitions ?? [], client)
        facts.silentSeeds = await silentSeeds(topology)
        if topology.mode == .sentinel { facts.sentinelPatience = await sentinelPatience() }
        return DoctorReport(facts)
    }

    /// Applies what CONFIG SET can mend without taking anything away: missing flags of
    /// `notify-keyspace-events` are added. Examine again afterwards.
    @concurrent
    package func mend(_ report: DoctorReport) async -> [DoctorRepair] {
        var repairs: [DoctorRepair] = []
        let withHints = report.facts.wantsHints
        for node in report.facts.answering where !node.isLockServer {
            guard let flags = node.notifications, !Notifications.suffice(flags, withHints: withHints) else { continue }
            repairs.append(await NotificationsRepair(client: nodes[node.address], withHints: withHints).apply())
        }
        return repairs
    }

    package func shutDown() async {
        for server in lockServers { await server.client.shutDown() }
        await nodes.shutDown()
        await sentinels.shutDown()
        try? await group.shutdownGracefully()
    }

    private func discover() async throws(LapseError) -> Topology {
        let deadline = ContinuousClock.now + (configuration.startupTimeout ?? .zero)
        var backoff = Backoff(first: .milliseconds(100), cap: .seconds(1))
        // Where connections are taken and nothing is said, an attempt takes seconds to fail.
        let notice = group.any().scheduleTask(in: .seconds(1)) { [onWait, deployment] in
            onWait("no answer yet from \(deployment.seeds.summary)")
        }
        defer { notice.cancel() }
        var told: Set<String> = []
        while true {
            do throws(RedisError) {
                return try await watch.discover()
            } catch {
                notice.cancel()
                if let impossible = ImpossibleSettings.explain(error) { throw impossible }
                let isHopeless = error.isPermanent || error.kind == .protocolViolation
                if isHopeless || ContinuousClock.now >= deadline { throw LapseError(error) }
                if told.insert(error.description).inserted { onWait(error.description) }
                if await Doorbell(on: group.any()).wait(upTo: backoff.next()) == .cancelled { throw LapseError(error) }
            }
        }
    }

    /// Where Redis votes on the lease.
    private func registers(_ keys: [ElectionKeys], _ topology: Topology) -> [DeploymentFacts.Register] {
        guard configuration.store == nil else { return [] }
        guard lockServers.isEmpty else {
            let key = ElectionKeys.registers(1, name: configuration.name)[0].lock
            return lockServers.map { DeploymentFacts.Register(key: key, node: $0.facts.address) }
        }
        return keys.map {
            DeploymentFacts.Register(key: $0.lock, node: topology.owner(of: HashSlot.of($0.lock))?.address)
        }
    }

    /// For each master a hash tag whose slot it owns, as Lapse's own keys have.
    private static func trialTags(_ topology: Topology) -> [NodeAddress: String] {
        var tags: [NodeAddress: String] = [:]
        let wanted = topology.masters.count
        for number in 0..<200_000 where tags.count < wanted {
            let tag = "lapse-\(number)"
            guard let owner = topology.owner(of: HashSlot.of("{\(tag)}"))?.address, tags[owner] == nil else { continue }
            tags[owner] = tag
        }
        return tags
    }

    /// Adds to each node what most of the others call it by.
    private static func announcing(_ nodes: [NodeFacts]) -> [NodeFacts] {
        nodes.map { node in
            var node = node
            let voices: [NodeAddress: Int] = nodes.compactMap { $0.words[node.id] }
                .reduce(into: [:]) { $0[$1, default: 0] += 1 }
            node.announced = voices.sorted { $0.key < $1.key }.max { $0.value < $1.value }?.key ?? node.ownWord
            return node
        }
    }

    /// In the order given.
    private func examine(_ examinations: [NodeExamination]) async -> [NodeFacts] {
        await withTaskGroup(of: (Int, NodeFacts).self) { group in
            var facts = [NodeFacts?](repeating: nil, count: examinations.count)
            for (index, examination) in examinations.enumerated() {
                if index >= Self.breadth, let (done, result) = await group.next() { facts[done] = result }
                group.addTask { (index, await examination.facts()) }
            }
            for await (done, result) in group { facts[done] = result }
            return facts.compactMap(\.self)
        }
    }

    /// Seeds that are not among the nodes, and Sentinels, must answer too: one day Lapse starts from them.
    private func silentSeeds(_ topology: Topology) async -> [String] {
        var silent: [String] = []
        for seed in deployment.seeds.addresses where topology.node(at: seed) == nil {
            do throws(RedisError) {
                let directory = topology.mode == .sentinel ? sentinels : nodes
                _ = try await directory[seed].send([RESPCommand("PING")])
            } catch {
                silent.append("\(error)")
            }
        }
        return silent
    }

    /// A replica that was killed is in the list for some seconds more: only one that spoke just now counts.
    private func sharedIDs(_ keys: [ElectionKeys], _ client: KeyedClient) async -> [String] {
        guard let key = keys.first?.members,
            let reply = try? await client.run(Self.members, keys: [key], arguments: [], timeout: .seconds(2)),
            let parts = reply.array, parts.count == 2, let now = PlausibleCount.read(parts[0]),
            let members = parts[1].array
        else { return [] }
        var processes: [String: Set<String>] = [:]
        for index in stride(from: 0, to: members.count - 1, by: 2) {
            guard let text = members[index].string, let seen = PlausibleCount.read(members[index + 1]), seen + 3 >= now
            else { continue }
            let member = MemberID(text)
            processes[member.id, default: []].insert(member.process)
        }
        return processes.filter { $0.value.count > 1 }.keys.sorted()
    }

    private static let members = Script(
        "return {redis.call('TIME')[1], redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')}")

    /// What stands at keys that entries are appended to, in their order; without those of which the server
    /// says nothing.
    private func held(_ keys: [String], _ client: KeyedClient) async -> [DeploymentFacts.NamedKey] {
        await withTaskGroup(of: (Int, DeploymentFacts.NamedKey?).self) { group in
            // All at once, as a stream may have 256 partitions on servers that are far; the group awaits them.
            for (index, key) in keys.enumerated() { group.addTask { (index, await Self.standing(of: key, client)) } }
            var held = [DeploymentFacts.NamedKey?](repeating: nil, count: keys.count)
            for await (index, found) in group { held[index] = found }
            return held.compactMap(\.self)
        }
    }

    private static func standing(of key: String, _ client: KeyedClient) async -> DeploymentFacts.NamedKey? {
        do throws(RedisError) {
            let type = try await client.send(RESPCommand("TYPE", key), key: key, timeout: .seconds(2)).string
            return type.map { DeploymentFacts.NamedKey(key, .holds($0)) }
        } catch {
            return error.kind == .denied ? DeploymentFacts.NamedKey(key, .refused(error.serverText)) : nil
        }
    }

    private func sentinelPatience() async -> Duration? {
        for seed in deployment.seeds.addresses {
            let command = RESPCommand("SENTINEL", "MASTER", deployment.seeds.masterName)
            guard let fields = try? await sentinels[seed].send([command]).first?.array,
                let index = fields.firstIndex(where: { $0.string == "down-after-milliseconds" }),
                index + 1 < fields.count,
                let milliseconds = fields[index + 1].int
            else { continue }
            return .milliseconds(milliseconds)
        }
        return nil
    }
}
