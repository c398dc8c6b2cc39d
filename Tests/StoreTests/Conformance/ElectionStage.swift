import LeaderElection
import Synchronization

/// What happened in an election, in the order in which it happened.
final class Chronicle: Sendable {
    enum Entry: Sendable, Hashable {
        case began(String, token: UInt64)
        case ended(String)
        case change(String, LeadershipChange)
    }

    private let content = Mutex<[Entry]>([])

    func write(_ entry: Entry) { content.withLock { $0.append(entry) } }
    var entries: [Entry] { content.withLock { $0 } }

    /// The tokens of all terms, in their order.
    var tokens: [UInt64] { entries.compactMap { if case .began(_, let token) = $0 { token } else { nil } } }

    /// Who led, in order.
    var leaders: [String] { entries.compactMap { if case .began(let id, _) = $0 { id } else { nil } } }

    /// Two terms that may have called handlers at once, if there were any.
    var overlap: String? {
        var now: [String] = []
        for entry in entries {
            switch entry {
            case .began(let id, _):
                if let other = now.first { return "\(id) began while \(other) led" }
                now.append(id)
            case .ended(let id): now.removeAll { $0 == id }
            case .change: break
            }
        }
        return nil
    }

    var tokensGrow: Bool { zip(tokens, tokens.dropFirst()).allSatisfy { $0 < $1 } }
}

/// One replica of an election in this process.
struct Replica: Sendable {
    let id: String
    let elector: Elector
    let store: any LeaseStore
    let chronicle: Chronicle

    /// Runs the elector; the body writes down its terms and waits for their end.
    func run() async throws(ElectionError) {
        let changes = elector.leadership
        let chronicle = chronicle
        let id = id
        let listening = Task {
            for await change in changes { chronicle.write(.change(id, change)) }
        }
        defer { listening.cancel() }
        try await elector.run { term in
            chronicle.write(.began(id, token: term.token.rawValue))
            await term.drainRequested()
            chronicle.write(.ended(id))
        }
    }

    func saw(_ isWanted: (LeadershipChange) -> Bool) -> Bool {
        chronicle.entries.contains { if case .change(id, let change) = $0 { isWanted(change) } else { false } }
    }
}

extension StoreStage {
    func replica(
        _ id: String, of name: String, _ chronicle: Chronicle, through proxy: FaultProxy? = nil,
        ttl: Duration? = nil
    ) async throws -> Replica {
        let store = try await store(name, through: proxy)
        let elector = try Elector(
            store: store, configuration: .init(name: name, id: id, leaseTTL: ttl ?? kind.lease), logger: quiet)
        return Replica(id: id, elector: elector, store: store, chronicle: chronicle)
    }

    /// Runs all replicas while `work` goes on, then stops them all and awaits their end.
    func electing(_ replicas: [Replica], _ work: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for replica in replicas { group.addTask { try await replica.run() } }
            let outcome: Result<Void, any Error>
            do { outcome = .success(try await work()) } catch { outcome = .failure(error) }
            for replica in replicas { replica.elector.stop() }
            try await group.waitForAll()
            try outcome.get()
        }
    }

    /// The one that leads, once there is one.
    func leader(of replicas: [Replica], otherThan old: String? = nil) async throws -> Replica {
        var found: Replica?
        try await eventually("a leader") {
            found = replicas.first { $0.id != old && $0.elector.state.isLeader }
            return found != nil
        }
        guard let found else { throw GaveUp(description: "no leader") }
        return found
    }
}
