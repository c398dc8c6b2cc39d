import ArgumentParser
import Console
import FoundationEssentials
import Lapse
import LeaderElectionRedis
import Logging
import RESP
import RedisClient

/// What `lapse groups` must know of how the replicas are started.
enum Grouping: OptionGroupTable {
    static let rows = [Election.registers.row]
}

/// `lapse groups`: the names in use on these servers.
struct GroupsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "groups", abstract: "List the groups that have a living replica on these servers.",
        discussion: """
            A group is known by the channel that its replicas subscribe to, so one that is down is not listed, and any client can add \
            a name. Whether one is paused is unknown where its registers do not tell, also with another number of --registers. Exit \
            code 1 when there is none.
            """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup(title: "Election") var election: GivenOptions<Grouping>
    @OptionGroup var results: GivenOptions<Results>

    private struct Group: Encodable {
        var name: String
        var replicas: [String]
        /// Nil where it cannot be told.
        var isPaused: Bool?

        private enum CodingKeys: CodingKey { case name, replicas, isPaused }

        /// Every key is always there.
        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(name, forKey: .name)
            try container.encode(replicas, forKey: .replicas)
            try container.encode(isPaused, forKey: .isPaused)
        }

        var pauseWord: String { isPaused.map { $0 ? "yes" : "no" } ?? "unknown" }
    }

    /// More than any deployment has.
    private static let limit = 1000

    func run() async throws {
        let values = try await OptionValues(given: connection, election, results)
        var configuration = ProcessorConfiguration()
        try configuration.connect(values)
        configuration.registers = try values(Election.registers)
        do { try configuration.validate() } catch { throw Failure(error) }
        let access = try RedisAccess(configuration, logger: Logger(label: "lapse") { _ in SwiftLogNoOpLogHandler() })
        let groups: [Group]
        do { groups = try await Self.groups(access, registers: configuration.registers) } catch {
            await access.shutDown()
            throw error
        }
        await access.shutDown()
        if try values(Results.json) == true {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
            try await StandardStream.print(String(decoding: try encoder.encode(groups), as: UTF8.self))
        } else if !groups.isEmpty {
            var table = TextTable("group", "replicas", "paused")
            for group in groups {
                let replicas = group.replicas.map(Printable.text).joined(separator: ", ")
                table.add(Printable.text(group.name), replicas.isEmpty ? "-" : replicas, group.pauseWord)
            }
            try await StandardStream.print(table.lines.joined(separator: "\n"))
        }
        if groups.isEmpty { throw Failure(.negative, "no group has a living replica on these servers") }
    }

    private static func groups(_ access: RedisAccess, registers: Int?) async throws -> [Group] {
        let topology = try await access.discover()
        let client = KeyedClient(nodes: access.nodes, watch: access.watch, on: access.loop)
        var groups: [Group] = []
        for name in try await names(topology, access).sorted().prefix(limit) {
            let places = ElectionKeys.registers(registers ?? (topology.mode == .cluster ? 3 : 1), name: name)
            let record = await GroupRecord.read(places, client)
            groups.append(Group(name: name, replicas: record.replicas.keys.sorted(), isPaused: record.isPaused))
        }
        return groups
    }

    /// A node that does not answer is left out, while any does.
    private static func names(_ topology: Topology, _ access: RedisAccess) async throws -> Set<String> {
        let prefix = ElectionKeys.channel("")
        var names: Set<String> = []
        var trouble: RedisError?
        var isAnswered = false
        for node in topology.nodes {
            do throws(RedisError) {
                let reply = try await access.nodes[node.address].send(RESPCommand("PUBSUB", "CHANNELS", prefix + "*"))
                isAnswered = true
                for channel in reply.array ?? [] where names.count < limit {
                    guard let text = channel.string, text.utf8.count <= 512 else { continue }
                    names.insert(String(text.dropFirst(prefix.count)))
                }
            } catch { trouble = trouble ?? error }
        }
        if !isAnswered, let trouble { throw trouble }
        return names
    }
}
