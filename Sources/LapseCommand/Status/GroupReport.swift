import Console
import Lapse

/// How an election group stands, as read from Redis: what `lapse status` prints.
struct GroupReport: Sendable {
    /// One vote on the lease.
    struct Register: Sendable {
        var key: String
        var node: String?
        var holder: String?
        var leaseRemainingSeconds: Double?
        var error: String?
    }

    /// A replica that told the registers of itself in the last half minute.
    struct Replica: Sendable {
        var id: String
        var leads: Bool
        var seenSecondsAgo: Int
        /// Nil for a replica of a build that does not say.
        var version: String?
        /// Expirations that the leader has taken up and this one has not heard.
        var behind: UInt64?
    }

    struct Node: Sendable {
        var address: String
        var role: String
        var runID: String?
        /// Expirations that this process has announced.
        var expired: UInt64?
        /// How far the leader has taken them up; nil when it has not been here yet.
        var through: UInt64?
        /// Of these, taken up and not finished.
        var pending: Int?
        var backlog: UInt64?
        /// What became of them in the leader's term, as it last wrote.
        var account: NodeAccount?
        var error: String?
    }

    /// What is known of the leadership.
    enum State: String, Sendable, Encodable {
        /// A majority of the registers names one replica.
        case led
        /// No replica holds a majority.
        case vacant
        /// Too few registers could be read to tell.
        case unknown
        /// The same, and one refused to be read.
        case refused
    }

    /// Nothing is handed out, since an operator asked for it.
    struct Pause: Sendable, Encodable {
        var by: String
        var secondsLeft: Int
    }

    var name: String
    var topology: String
    var state: State
    var leader: String?
    /// When the term began, in UTC.
    var since: String?
    var sinceSeconds: Double?
    var term: UInt64
    var token: UInt64
    /// Until the majority is lost, unless renewed.
    var leaseRemainingSeconds: Double?
    var registers: [Register]
    /// Registers beside which neither the progress nor the replicas could be read.
    var unreadRegisters: Int
    var replicas: [Replica]
    var nodes: [Node]
    /// As wished; the replicas end it when their logs must.
    var pause: Pause?
}

extension GroupReport {
    /// The report for people.
    var lines: [String] { lines(fitting: nil) }

    /// - Parameter width: of the terminal, in columns; nil for no limit.
    func lines(fitting width: Int?) -> [String] {
        var lines = ["election  \(name) (\(topology))"]
        let votes = registers.count { $0.holder != nil && $0.holder == leader }
        if let leader {
            lines += [
                "leader    \(Printable.text(leader))", "term      \(term), token \(token)",
                "since     \(since ?? "unknown")\(sinceSeconds.map { " (\(Self.span($0)))" } ?? "")",
                "lease     \(Self.seconds(leaseRemainingSeconds)) left, held by \(votes) of \(registers.count) registers",
            ]
        } else if state != .vacant {
            let unread = registers.count { $0.error != nil }
            lines.append("leader    unknown: \(unread) of \(registers.count) registers cannot be read")
        } else {
            lines.append("leader    none\(term > 0 ? " (the last term was \(term), token \(token))" : "")")
        }
        if let pause {
            lines.append("paused    by \(Printable.text(pause.by)), for \(pause.secondsLeft) s at most (lapse resume)")
        }
        for register in registers {
            if let error = register.error { lines.append("register  \(register.key): \(error)") }
        }
        lines.append("")
        var seen = TextTable("replica", "role", "version", "behind", "seen")
        for replica in replicas {
            seen.add(
                Printable.text(replica.id), replica.leads ? "leader" : "follower", replica.version ?? "-",
                replica.leads ? "-" : Self.number(replica.behind), "\(replica.seenSecondsAgo) s ago")
        }
        if !replicas.isEmpty {
            lines += seen.lines
        } else if unreadRegisters > 0 {
            lines.append("replicas unknown: the progress beside \(unreadRegisters) registers cannot be read")
        } else {
            lines.append("no replica was seen in the last 30 s")
        }
        lines.append("")
        return lines + nodeLines(fitting: width)
    }

    /// The table of nodes. What tells least is left out until it fits.
    private func nodeLines(fitting width: Int?) -> [String] {
        let columns: [(name: String, cell: (Node) -> String)] = [
            ("node", \.address), ("role", \.role), ("expired", { Self.number($0.expired) }),
            ("through", { Self.number($0.through) }), ("pending", { Self.number($0.pending) }),
            ("backlog", { $0.error ?? Self.number($0.backlog) }), ("handled", { Self.number($0.account?.handled) }),
            ("lost", { Self.number($0.account?.lost) }), ("ignored", { Self.number($0.account?.ignored) }),
            ("unannounced", { Self.number($0.account?.unannounced) }),
        ]
        var left = ["unannounced", "ignored", "expired", "through", "handled", "role", "pending"][...]
        var omitted: Set<String> = []
        while true {
            let shown = columns.filter { !omitted.contains($0.name) }
            var table = TextTable(shown.map(\.name))
            for node in nodes { table.add(shown.map { $0.cell(node) }) }
            let lines = table.lines
            guard let width, lines.contains(where: { $0.count > width }), let next = left.popFirst() else {
                return lines
                    + (omitted.isEmpty ? [] : ["(the terminal is too narrow for all columns; --json has them)"])
            }
            omitted.insert(next)
        }
    }

    /// Why the leader is unknown.
    var unknownReason: String {
        let unread = registers.filter { $0.error != nil }
        return "the leader is unknown: \(unread.count) of \(registers.count) registers cannot be read: "
            + (unread.first?.error ?? "")
    }

    private static func number(_ number: (some BinaryInteger)?) -> String { number.map { "\($0)" } ?? "-" }

    private static func seconds(_ seconds: Double?) -> String {
        seconds.map { "\(Double(Int($0 * 10)) / 10) s" } ?? "unknown"
    }

    private static func span(_ seconds: Double) -> String {
        let total = Int(seconds)
        let parts = [(total / 86_400, "d"), (total / 3600 % 24, "h"), (total / 60 % 60, "m"), (total % 60, "s")]
        let shown = parts.drop { $0.0 == 0 }.prefix(2)
        return shown.isEmpty ? "0 s" : shown.map { "\($0.0) \($0.1)" }.joined(separator: " ")
    }
}
