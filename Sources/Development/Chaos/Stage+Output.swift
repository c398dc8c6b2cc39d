import Foundation
import ThrowawayRedis

/// Where what was handled is to be seen: what the replicas print, what a stream holds, or what the
/// workers of a stream print.
extension Stage {
    package enum Output: Sendable {
        case replicas, stream, workers

        /// What the replicas do with an expiration.
        package var handler: [String] {
            self == .replicas ? ["--handler", "ndjson"] : ["--stream", Stage.stream, "--partitions", "3"]
        }
    }

    /// The stream's key, its group, and the stream of what no attempt of a worker could handle.
    static let stream = "out"
    static let workGroup = "g"
    static let deadLetters = "dead"

    func handled() async throws -> [ThrowawayReplica.Handled] {
        switch output {
        case .replicas: group.handled
        case .stream: try await entries().map(\.handled).sorted { $0.handledAt < $1.handledAt }
        case .workers: workers.flatMap(\.handled).sorted { $0.handledAt < $1.handledAt }
        }
    }

    /// An entry of the stream.
    struct Entry: Sendable {
        var id: String
        var handled: ThrowawayReplica.Handled
        var isUncertain: Bool
    }

    /// The partitions of the stream, in their order.
    func partitions() async throws -> [String] {
        var found: Set<String> = []
        for master in try await cluster.masters() {
            found.formUnion(
                try await master.cli("--scan", "--pattern", "\(Self.stream):{p*}").split(separator: "\n").map(
                    String.init))
        }
        return found.sorted()
    }

    /// All that the partitions hold, each in its order.
    func entries() async throws -> [Entry] {
        var all: [Entry] = []
        for partition in try await partitions() {
            let node = try await cluster.node(owningSlot: KeySlot.of(partition))
            all += Self.read(try await node.cli(["XRANGE", partition, "-", "+"], within: .seconds(30)))
        }
        return all
    }

    /// Reads what redis-cli prints: an ID, then names and values in turn, `id` first.
    static func read(_ text: String) -> [Entry] {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let starts = lines.indices.filter {
            $0 > 0 && lines[$0] == "id" && $0 + 2 < lines.count && lines[$0 + 2] == "key"
        }
        return starts.enumerated().compactMap { number, start in
            let end = number + 1 < starts.count ? starts[number + 1] - 1 : lines.count
            var fields: [Substring: String] = [:]
            for index in stride(from: start, to: end - 1, by: 2) { fields[lines[index]] = String(lines[index + 1]) }
            guard let milliseconds = lines[start - 1].split(separator: "-").first.flatMap({ Double($0) }),
                let id = fields["id"], let key = fields["key"]
            else { return nil }
            return Entry(
                id: id,
                handled: .init(
                    key: key, node: fields["node"] ?? "", runID: fields["runId"] ?? "",
                    ordinal: fields["ordinal"].flatMap { UInt64($0) } ?? 0, origin: fields["origin"] ?? "",
                    term: fields["term"].flatMap { UInt64($0) } ?? 0,
                    token: fields["token"].flatMap { UInt64($0) } ?? 0,
                    at: Date(timeIntervalSince1970: milliseconds / 1000)),
                isUncertain: fields["uncertain"] == "1")
        }
    }

    /// What the sums of the ledger do not show: that each position stands in the stream once; that workers
    /// gave up nothing.
    func audit(_ ledger: inout Ledger, _ settlement: Settlement, _ scenario: Scenario) async throws {
        switch output {
        case .replicas: break
        case .stream: ledger.note(try await entries(), settlement, mayBeUncertain: scenario == .streamResetAndKilled)
        case .workers:
            let letters = try await cluster.node(owningSlot: KeySlot.of(Self.deadLetters))
                .cli("XLEN", Self.deadLetters)
            if letters != "0" { ledger.problems.append("dead letters: \(letters)") }
            try? await waitUntil("all is acknowledged", within: .seconds(20)) { try await pendings() }
            if let left = try await pendings() { ledger.problems.append(left) }
            let claimed = workers.reduce(0) { $0 + $1.sum(of: "count", in: " claimed ") }
            ledger.note += "claimed from the dead: \(claimed) "
            if claimed == 0 { ledger.problems.append("nothing was claimed, so nothing was tested") }
        }
    }

    /// Nil once nothing is pending.
    private func pendings() async throws -> String? {
        var left = 0
        for partition in try await partitions() {
            let node = try await cluster.node(owningSlot: KeySlot.of(partition))
            let summary = try await node.cli("XPENDING", partition, Self.workGroup)
            left += summary.split(separator: "\n").first.flatMap { Int($0) } ?? 0
        }
        return left == 0 ? nil : "not acknowledged: \(left)"
    }
}

extension Ledger {
    /// A position whose number could be trusted stands there once; those that are marked count apart.
    mutating func note(_ entries: [Stage.Entry], _ settlement: Settlement, mayBeUncertain: Bool) {
        let certain = entries.filter { !$0.isUncertain }
        let uncertain = entries.count - certain.count
        let again = certain.count - Set(certain.map(\.id)).count
        if again > 0 { problems.append("\(again) positions stand there twice") }
        let keys = settlement.handled.count - Set(settlement.handled.map(\.key)).count
        // Beside what the servers announced again, and what is marked: the same expiration under another
        // number.
        let unmarked = keys - min(keys, uncertain) - settlement.announcedAgain
        if unmarked > 0 { problems.append("\(unmarked) keys stand there twice, unmarked") }
        note += "entries \(entries.count), uncertain \(uncertain) "
        if uncertain > 0, !mayBeUncertain { problems.append("uncertain without a cause: \(uncertain)") }
    }
}
