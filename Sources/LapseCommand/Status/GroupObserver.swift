import Lapse
import LeaderElection
import LeaderElectionRedis
import RESP
import RedisClient
import Timing

/// Reads an election group's state from Redis, changing nothing.
struct GroupObserver: Sendable {
    /// What one register says.
    private struct Word: Sendable {
        var register: GroupReport.Register
        var holder: String?
        var left: Duration?
        var term: UInt64 = 0
        var since: UInt64?
        var token: UInt64 = 0
        /// It was not read, since it refused.
        var isDenied = false
    }

    private let access: RedisAccess
    private let configuration: ProcessorConfiguration
    /// Where the election is held, if not in Redis.
    private let store: (any LeaseStore)?
    /// The independent servers of the lease, for all looks: each would open a connection of its own else.
    private let lockServers: [NodeClient]

    /// - Throws: ``Failure`` for a lock server's URL that cannot be used.
    init(
        _ access: RedisAccess, _ configuration: ProcessorConfiguration, store: (any LeaseStore)?
    ) throws(Failure) {
        self.store = store
        self.access = access
        self.configuration = configuration
        lockServers = try configuration.lockServers.map { text throws(Failure) in
            let url: RedisURL
            let settings: ConnectionSettings
            do throws(RedisURLError) {
                url = try RedisURL(text)
                settings = try access.deployment.settings.independent(url, of: access.deployment.seeds)
            } catch { throw .usage("--lock-servers: \(error)") }
            return NodeClient(url.address, settings: settings, on: access.loop)
        }
    }

    /// Closes the connections that are its own.
    func shutDown() async {
        // At once: a frozen server takes its time.
        await withDiscardingTaskGroup { group in
            for server in lockServers { group.addTask { await server.shutDown() } }
        }
    }

    /// - Parameter limit: how long to try to reach Redis, if less than the startup timeout.
    @concurrent
    func look(within limit: Duration? = nil) async throws(Failure) -> GroupReport {
        let topology = try await access.discover(atMost: limit)
        let count = configuration.registers ?? (topology.mode == .cluster ? 3 : 1)
        let client = KeyedClient(nodes: access.nodes, watch: access.watch, on: access.loop)
        let places = ElectionKeys.registers(count, name: configuration.name)
        let voters = voters(places, client)
        async let words = store == nil ? ask(voters) : askStore()
        async let groupRecord = GroupRecord.read(places, client)
        async let counters = NodeCounter.read(topology.nodes, access.nodes)
        return report(topology, await words, await groupRecord, await counters)
    }

    /// The registers of the lease: keys in this deployment, or independent servers.
    private func voters(
        _ places: [ElectionKeys], _ client: KeyedClient
    ) -> [(keys: ElectionKeys, runner: any ScriptRunner)] {
        guard !lockServers.isEmpty else { return places.map { ($0, client) } }
        let keys = ElectionKeys(tag: LockTags.tags(1)[0], name: configuration.name)
        return lockServers.map { (keys, SingleServer($0)) }
    }

    private func ask(_ voters: [(keys: ElectionKeys, runner: any ScriptRunner)]) async -> [Word] {
        await withTaskGroup(of: (Int, Word).self) { group in
            for (index, voter) in voters.enumerated() {
                group.addTask { (index, await Self.word(voter.keys, voter.runner)) }
            }
            return await group.reduce(into: []) { $0.append($1) }.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    /// A store's own registers, which say no more than every store can.
    private func askStore() async -> [Word] {
        var words: [Word] = []
        for register in store?.registers ?? [] {
            var word = Word(register: .init(key: register.label))
            do throws(RegisterError) {
                let seen = try await register.observe(configuration.name)
                word.holder = seen.holder
                word.left = seen.ttl
                word.term = seen.term
                word.token = seen.token.rawValue
                word.register.holder = seen.leader
                word.register.leaseRemainingSeconds = seen.ttl.map { $0 / .seconds(1) }
            } catch {
                word.register.error = error.description
                if error.code == .denied { word.isDenied = true }
            }
            words.append(word)
        }
        return words
    }

    private static func word(_ keys: ElectionKeys, _ runner: any ScriptRunner) async -> Word {
        var word = Word(register: .init(key: keys.lock, node: runner.node(for: keys.lock).map { "\($0)" }))
        do throws(RedisError) {
            let reply = try await runner.run(
                lease, keys: [keys.lock, keys.token, keys.progress], arguments: [], timeout: .seconds(2))
            let fields = reply.array ?? []
            guard fields.count == 5 else { throw RedisError(.protocolViolation, node: nil, "unexpected answer") }
            word.holder = fields[0].string.flatMap { $0.isEmpty ? nil : $0 }
            word.left = fields[1].int.flatMap { $0 >= 0 ? .milliseconds($0) : nil }
            word.token = PlausibleCount.read(fields[2]) ?? 0
            word.term = PlausibleCount.read(fields[3]) ?? 0
            word.since = PlausibleCount.read(fields[4])
            word.register.holder = word.holder.map(Claim.replica(of:))
            word.register.leaseRemainingSeconds = word.left.map { $0 / .seconds(1) }
        } catch {
            word.register.error = error.description
            word.isDenied = error.isPermanent
        }
        return word
    }

    /// The token that the leader has written beside its progress: the counter of a register whose vote came
    /// late is ahead of it.
    private static let lease = Script(
        """
        return {redis.call('GET', KEYS[1]) or '', redis.call('PTTL', KEYS[1]),
          redis.call('HGET', KEYS[3], 'token') or redis.call('GET', KEYS[2]) or '0',
          redis.call('HGET', KEYS[3], 'term') or '0', redis.call('HGET', KEYS[3], 'since') or ''}
        """)

    private func report(
        _ topology: Topology, _ words: [Word], _ groupRecord: GroupRecord, _ counters: [NodeCounter]
    ) -> GroupReport {
        let majority = words.count / 2 + 1
        let holders = Dictionary(grouping: words.filter { $0.holder != nil }) { $0.holder ?? "" }
        let most = holders.values.max { $0.count < $1.count } ?? []
        let unread = words.filter { $0.register.error != nil }
        let state: GroupReport.State =
            if most.count >= majority {
                .led
            } else if most.count + unread.count >= majority {
                unread.contains(where: \.isDenied) ? .refused : .unknown
            } else {
                .vacant
            }
        // What a leader has written of itself stands where it holds the lock: elsewhere candidates have
        // counted on.
        let records = state == .led ? most : words
        let record = records.max { ($0.term, $0.token) < ($1.term, $1.token) }
        // The lease is over when enough votes have run out that the rest is no majority.
        let left = state == .led ? most.compactMap(\.left).sorted(by: >).dropFirst(majority - 1).first : nil
        let since = state == .led ? record?.since : nil
        let leader = state == .led ? most.first?.holder.map(Claim.replica(of:)) : nil
        return GroupReport(
            name: configuration.name, topology: topology.mode.rawValue, state: state,
            leader: leader,
            since: since.map { UTCTime(milliseconds: Int64(clamping: $0)).text },
            sinceSeconds: since.map { max(0, Double(WallClock.milliseconds()) - Double($0)) / 1000 },
            term: record?.term ?? 0, token: record?.token ?? 0,
            leaseRemainingSeconds: left.map { $0 / .seconds(1) },
            registers: words.map(\.register), unreadRegisters: groupRecord.unread,
            replicas: groupRecord.replicas.sorted { $0.key < $1.key }.map { id, seen in
                .init(
                    id: id, leads: id == leader, seenSecondsAgo: seen, version: groupRecord.words[id]?.version,
                    behind: groupRecord.words[id]?.behind)
            },
            nodes: counters.map { $0.entry(groupRecord) },
            pause: groupRecord.pause.map { .init(by: $0.wish.author, secondsLeft: Int($0.left / .seconds(1))) })
    }
}
