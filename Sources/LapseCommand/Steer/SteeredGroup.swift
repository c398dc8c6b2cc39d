import Console
import FoundationEssentials
import Lapse
import LeaderElectionRedis
import Logging
import NIOCore
import RedisClient
import Timing

/// A group that an operator steers: its registers, and the wait for its leader's answer.
struct SteeredGroup: Sendable {
    let board: WishBoard
    /// For questions about keys.
    let inquiry: TraceInquiry
    private let access: RedisAccess

    /// Finds the group that the options name, and lets `body` steer it.
    static func with(_ values: OptionValues, _ body: (SteeredGroup) async throws -> Void) async throws {
        var configuration = ProcessorConfiguration(name: try values(Election.name) ?? "default")
        try configuration.connect(values)
        configuration.registers = try values(Election.registers)
        do { try configuration.validate() } catch { throw Failure(error) }
        let access = try RedisAccess(configuration, logger: Logger(label: "lapse") { _ in SwiftLogNoOpLogHandler() })
        do {
            let topology = try await access.discover()
            let count = configuration.registers ?? (topology.mode == .cluster ? 3 : 1)
            let client = KeyedClient(nodes: access.nodes, watch: access.watch, on: access.loop)
            let board = WishBoard(name: configuration.name, registers: count, client: client)
            let inquiry = TraceInquiry(
                name: configuration.name, isCluster: topology.mode == .cluster, client: client, on: access.loop)
            let group = SteeredGroup(board: board, inquiry: inquiry, access: access)
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                // A master may be replaced meanwhile: its successor is looked for until the body ends.
                tasks.addTask { await access.watch.run() }
                defer { tasks.cancelAll() }
                try await body(group)
            }
        } catch {
            await access.shutDown()
            throw error
        }
        await access.shutDown()
    }

    /// Looks until `found` has what it waits for; nil when the time is over before. A wait of more than a
    /// second is told: without a leader it lasts to its end.
    func look<Found: Sendable>(
        for limit: Duration, _ found: (WishSnapshot) -> Found?
    ) async throws -> Found? {
        let deadline = ContinuousClock.now + limit
        let bell = Doorbell(on: access.loop)
        let notice = access.loop.scheduleTask(in: .seconds(1)) {
            FatalLine.write("waiting for the leader's answer, at most \(limit)", level: .warning)
        }
        defer { notice.cancel() }
        var trouble: RedisError?
        repeat {
            do throws(RedisError) {
                let snapshot = try await board.look()
                trouble = nil
                if let found = found(snapshot) { return found }
            } catch {
                // A register may be on its way to another server.
                if error.isPermanent { throw error }
                trouble = error
            }
            if await bell.wait(upTo: .milliseconds(100)) == .cancelled { throw CancellationError() }
        } while ContinuousClock.now < deadline
        if let trouble { throw trouble }
        return nil
    }

    /// The leader's answer to a wish, if it is one of these.
    func answer(
        to wish: Wish, within limit: Duration, _ verdicts: Set<SteeringAnswer.Verdict>
    ) async throws -> SteeringAnswer? {
        try await look(for: limit) { snapshot in
            snapshot.answers[wish.kind].flatMap { $0.nonce == wish.nonce && verdicts.contains($0.verdict) ? $0 : nil }
        }
    }

    /// The operator, for the replicas' log: the user of this process and the machine.
    static var author: String {
        let author = "\(ProcessInfo.processInfo.userName)@\(ProcessInfo.processInfo.hostName)"
        return String(String.UnicodeScalarView(author.unicodeScalars.filter(Wish.isPrintable)))
    }
}
