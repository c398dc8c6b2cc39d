import LeaderElection
import Synchronization

/// What happened in an election, in the order in which it happened.
final class Chronicle: Sendable {
    enum Entry: Sendable, Hashable {
        case began(String, token: UInt64)
        case ended(String)
        case change(String, LeadershipChange)
    }

    private struct Content {
        var entries: [Entry] = []
        var leases: [(id: String, lease: Lease)] = []
        var overlap: String?
    }

    private let content = Mutex(Content())

    func write(_ entry: Entry) { content.withLock { $0.entries.append(entry) } }

    /// A term begins. While its lease is valid no lease of another term may be: each alone says who may
    /// call handlers.
    func begin(_ id: String, _ term: Term) {
        content.withLock { content in
            content.entries.append(.began(id, token: term.token.rawValue))
            if let other = content.leases.first(where: { $0.lease.isValid }), term.lease.isValid {
                content.overlap = "\(id) began while \(other.id) led"
            }
            content.leases.append((id, term.lease))
        }
    }

    var entries: [Entry] { content.withLock { $0.entries } }

    /// Two terms that could call handlers at once, if there were any.
    var overlap: String? { content.withLock { $0.overlap } }

    /// The tokens of all terms, in their order.
    var tokens: [UInt64] { entries.compactMap { if case .began(_, let token) = $0 { token } else { nil } } }

    /// Who led, in order.
    var leaders: [String] { entries.compactMap { if case .began(let id, _) = $0 { id } else { nil } } }

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
            chronicle.begin(id, term)
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

    /// The leader is stopped, until all have led.
    func stopInTurn(_ replicas: [Replica]) async throws {
        var stopped: Set<String> = []
        for _ in replicas {
            let leader = try await leader(of: replicas.filter { !stopped.contains($0.id) })
            stopped.insert(leader.id)
            leader.elector.stop()
        }
    }

    /// One fault after the other befalls the leader; `lines` are the replicas' connections.
    func disturb(_ replicas: [Replica], _ lines: [FaultProxy]) async throws {
        for round in 0..<4 {
            let leader = try await leader(of: replicas)
            let line = lines[replicas.firstIndex { $0.id == leader.id } ?? 0]
            switch round {
            case 0: try await line.set(.blackHole)
            case 1: leader.elector.resign()
            case 2: try await line.set(.delay(kind.lease))
            default: for line in lines { try await line.set(.cut(afterReplies: 0)) }
            }
            if round != 3 {
                try await eventually("another leader in round \(round)") {
                    // Where the others are slow it leads again: one resignation is no promise that another leads.
                    if round == 1, leader.elector.state.isLeader { leader.elector.resign() }
                    return replicas.contains { $0.id != leader.id && $0.elector.state.isLeader }
                }
            }
            for line in lines { try await line.set(.pass) }
        }
    }
}
