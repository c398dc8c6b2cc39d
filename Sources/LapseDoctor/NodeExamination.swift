import Lapse
import LeaderElection
import LeaderElectionRedis
import RESP
import RedisClient
import Timing

/// Learns the facts about one server.
struct NodeExamination {
    let client: NodeClient
    /// What is known before it is asked.
    let known: NodeFacts
    let name: String
    let mode: Topology.Mode
    let registers: [ElectionKeys]
    let rights: AccessRights
    /// A hash tag whose slot this master owns; nil where nothing is tried.
    var trialTag: String?

    private static let settings = [
        "notify-keyspace-events", "hz", "active-expire-effort", "client-output-buffer-limit", "appendonly", "save",
        "maxmemory", "maxmemory-policy", "min-replicas-to-write", "min-replicas-max-lag", "cluster-node-timeout",
        "databases", "lazyfree-lazy-expire",
    ]

    func facts() async -> NodeFacts {
        var facts = known
        do throws(RedisError) {
            // Connects and logs in, so that the next command takes one round trip.
            _ = try await client.send([RESPCommand("PING")])
            let before = SystemClock.read()
            let time = try await client.send([RESPCommand("TIME")]).first
            let took = SystemClock.read().monotonic - before.monotonic
            facts.contact = .answered(after: took)
            facts.clock = time.flatMap { Self.clock($0, before, took) }
            let info = try await client.send([RESPCommand("INFO")]).first
            facts.info = info.map(infoFields) ?? [:]
            facts.settings = try await settings()
            facts.refusals = await refusals()
            if mode == .cluster, !known.isLockServer,
                let words = try await client.send([RESPCommand("CLUSTER", "NODES")]).first
            {
                let nodes = ClusterNodes(words.string ?? "", asked: client.address)
                facts.ownWord = nodes.myself?.address
                facts.words = nodes.others
            }
            // What a user may not do, or the server does not announce, is told already.
            if let trialTag, facts.refusals.allSatisfy(\.right.isDispensable),
                facts.notifications.map(Notifications.suffice) ?? true
            {
                let failures = await DeliveryTrial(client: client, name: name, tag: trialTag).failures()
                facts.failures = failures.filter { !$0.isRefusal }
                // Before Redis 7.0 a script cannot ask for its rights.
                facts.refusals += failures.filter(\.isRefusal).map { Refusal(.registers, $0.text) }
            }
        } catch {
            facts.contact = error.isPermanent ? .denied(error.text) : .unreachable(error.text)
        }
        return facts
    }

    private func settings() async throws(RedisError) -> NodeFacts.Settings {
        // One command each: Redis 6 takes no more.
        let replies = try await client.send(Self.settings.map { RESPCommand("CONFIG", "GET", $0) })
        if let error = replies.first?.error {
            if error.code == "NOPERM" { return .forbidden(error.text) }
            return error.text.contains("unknown command") ? .renamed : .withheld(error.text)
        }
        var values: [String: String] = [:]
        for (setting, reply) in zip(Self.settings, replies) {
            if let value = reply.array?.last?.string { values[setting] = value }
        }
        return values["notify-keyspace-events"] == nil
            ? .withheld("CONFIG GET was answered with nothing") : .read(values)
    }

    private func refusals() async -> [Refusal] {
        let databases = (try? await DatabaseCount.ask(client, to: nil, isCluster: mode == .cluster)) ?? 1
        let trial = RightsTrial(
            client: client, name: name, databases: databases, isCluster: mode == .cluster,
            registers: registers, rights: rights)
        return known.isLockServer ? await trial.registersRefused() : await trial.refusals()
    }

    private static func clock(_ reply: RESPValue, _ before: ClockReading, _ took: Duration) -> NodeFacts.Clock? {
        guard let parts = reply.array, parts.count == 2, let seconds = parts[0].int, let micros = parts[1].int
        else { return nil }
        let server = Duration.seconds(seconds) + .microseconds(micros)
        return NodeFacts.Clock(offset: server - (before.wall + took / 2), uncertainty: took / 2)
    }
}
