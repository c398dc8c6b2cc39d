import ArgumentParser
import Console
import FoundationEssentials
import Lapse
import LeaderElectionRedis
import Logging
import NIOCore
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
    private static let readAtOnce = 16

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
        let notice = access.loop.scheduleTask(in: .seconds(1)) {
            FatalLine.write("waiting for \(topology.nodes.count) nodes to answer", level: .warning)
        }
        defer { notice.cancel() }
        let names = try await names(topology, access)
        if names.isCut {
            FatalLine.write("there are more names: only the first \(limit) that were found are listed", level: .warning)
        }
        let client = KeyedClient(nodes: access.nodes, watch: access.watch, on: access.loop)
        let tags = LockTags.tags(registers ?? (topology.mode == .cluster ? 3 : 1))
        let silent = SilentNodes()
        let groups = await withTaskGroup(of: Group.self) { tasks in
            var groups: [Group] = []
            for (index, name) in names.all.enumerated() {
                if index >= readAtOnce, let group = await tasks.next() { groups.append(group) }
                // Each waits for its registers: one after the other that could take half an hour.
                tasks.addTask {
                    let record = await GroupRecord.read(
                        tags.map { ElectionKeys(tag: $0, name: name) }, client, passingOver: silent)
                    return Group(name: name, replicas: record.replicas.keys.sorted(), isPaused: record.isPaused)
                }
            }
            return await tasks.reduce(into: groups) { $0.append($1) }
        }
        return groups.sorted { $0.name < $1.name }
    }

    private struct Names {
        var all: Set<String> = []
        var isCut = false

        mutating func take(_ reply: RESPValue, behind prefix: String) {
            for channel in reply.array ?? [] {
                guard let text = channel.string, text.utf8.count <= 512 else { continue }
                let name = String(text.dropFirst(prefix.count))
                guard all.count < GroupsCommand.limit || all.contains(name) else { return isCut = true }
                all.insert(name)
            }
        }
    }

    /// A node that does not answer is left out, while any does.
    private static func names(_ topology: Topology, _ access: RedisAccess) async throws(RedisError) -> Names {
        let prefix = ElectionKeys.channel("")
        let nodes = access.nodes
        let answers = await withTaskGroup(of: Result<RESPValue, RedisError>.self) { tasks in
            for node in topology.nodes {
                // All at once: one that does not answer holds up no other.
                tasks.addTask {
                    do throws(RedisError) {
                        return .success(
                            try await nodes[node.address].send(RESPCommand("PUBSUB", "CHANNELS", prefix + "*")))
                    } catch { return .failure(error) }
                }
            }
            return await tasks.reduce(into: []) { $0.append($1) }
        }
        var names = Names()
        var trouble: RedisError?
        var isAnswered = false
        for answer in answers {
            switch answer {
            case .success(let reply):
                isAnswered = true
                names.take(reply, behind: prefix)
            case .failure(let error): trouble = trouble ?? error
            }
        }
        if !isAnswered, let trouble { throw trouble }
        return names
    }
}
