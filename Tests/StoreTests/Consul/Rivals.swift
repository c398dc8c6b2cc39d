import LeaderElection
import LeaderElectionConsul
import Synchronization

/// What happened to several electors, in the order in which it happened.
final class Rivals: Sendable {
    enum Event: Sendable, Equatable {
        case leads(String, token: UInt64)
        case ends(String, TermEnd)
        case waits(String, String)
    }

    private let book = Mutex<[Event]>([])

    var events: [Event] { book.withLock { $0 } }

    /// Who began and ended a term, in order: `a`, `-a`, `b`.
    var story: [String] {
        events.compactMap { event in
            switch event {
            case .leads(let id, _): id
            case .ends(let id, _): "-\(id)"
            case .waits: nil
            }
        }
    }

    var tokens: [UInt64] { events.compactMap { if case .leads(_, let token) = $0 { token } else { nil } } }

    func leads(_ id: String) -> Bool { story.last { $0 == id || $0 == "-\(id)" } == id }

    func end(of id: String) -> TermEnd? {
        events.lazy.compactMap { if case .ends(id, let reason) = $0 { reason } else { nil } }.first
    }

    func obstacles(of id: String) -> [String] {
        events.compactMap { if case .waits(id, let reason) = $0 { reason } else { nil } }
    }

    /// One elector, before it runs.
    struct Member: Sendable {
        let id: String
        let elector: Elector

        init(_ id: String, _ store: any LeaseStore, name: String, lease: Duration) throws {
            self.id = id
            elector = try Elector(
                store: store, configuration: .init(name: name, id: id, leaseTTL: lease), logger: quiet)
        }
    }

    /// Takes part as `id` until the task is cancelled.
    func join(_ id: String, _ store: any LeaseStore, name: String, lease: Duration) async throws {
        try await join(Member(id, store, name: name, lease: lease))
    }

    /// Takes part until the task is cancelled or the elector is stopped. The body does nothing but wait for
    /// its end.
    func join(_ member: Member) async throws {
        let id = member.id
        let changes = member.elector.leadership
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for await change in changes {
                    switch change {
                    case .ended(_, let reason): self.note(.ends(id, reason))
                    case .waiting(let reason): self.note(.waits(id, reason))
                    default: break
                    }
                }
            }
            group.addTask {
                try await member.elector.run { term in
                    self.note(.leads(id, token: term.token.rawValue))
                    await term.drainRequested()
                }
            }
            try await group.waitForAll()
        }
    }

    private func note(_ event: Event) {
        book.withLock { $0.append(event) }
    }
}

extension StoreStage {
    /// Two electors: `a`, which is made to lead through a proxy, and `b`. Both end when `work` does.
    func withRivals(
        _ name: String, lease: Duration, configuration: ConsulConfiguration? = nil,
        _ work: (Rivals, FaultProxy, ConsulOperator) async throws -> Void
    ) async throws {
        guard let server = server as? ConsulStoreServer else { throw GaveUp(description: "this is no Consul") }
        let proxy = try await proxy()
        let rivals = Rivals()
        var direct = configuration ?? ConsulConfiguration(shortestSession: .milliseconds(1500))
        direct.agents = [.init(port: server.port)]
        var relayed = direct
        relayed.agents = [.init(port: proxy.port)]
        let first = try ConsulLeaseStore(configuration: relayed, name: name, logger: quiet)
        let second = try ConsulLeaseStore(configuration: direct, name: name, logger: quiet)
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await rivals.join("a", first, name: name, lease: lease) }
                try await eventually("a leads") { rivals.leads("a") }
                group.addTask { try await rivals.join("b", second, name: name, lease: lease) }
                try await work(rivals, proxy, ConsulOperator(server.consul))
                group.cancelAll()
            }
        } catch {
            await first.shutDown()
            await second.shutDown()
            throw error
        }
        await first.shutDown()
        await second.shutDown()
    }
}
