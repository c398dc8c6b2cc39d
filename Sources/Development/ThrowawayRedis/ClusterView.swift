/// The cluster as one of its nodes sees it: CLUSTER NODES, taken apart.
struct ClusterView: Sendable {
    struct Entry: Sendable, Equatable {
        let id: String
        let port: Int
        let flags: Set<String>
        let masterID: String?
        let epoch: Int
        let slots: [ClosedRange<Int>]

        var isMaster: Bool { flags.contains("master") }
        var isFailing: Bool { !flags.isDisjoint(with: ["fail", "fail?", "noaddr", "handshake"]) }

        /// What all nodes must agree on.
        var summary: String { "\(id) \(masterID ?? "master") \(slots)" }
    }

    let entries: [Entry]

    var myself: Entry? { entries.first { $0.flags.contains("myself") } }

    /// The highest configuration epoch known to this node: of two views the higher one is the newer.
    var epoch: Int { entries.map(\.epoch).max() ?? 0 }

    init(_ text: String) {
        entries = text.split(whereSeparator: \.isNewline).compactMap(Self.entry)
    }

    func entry(port: Int) -> Entry? { entries.first { $0.port == port } }

    /// `<id> <host>:<port>@<bus>[,<name>] <flags> <master> <ping> <pong> <epoch> <link> <slot>…`
    private static func entry(_ line: Substring) -> Entry? {
        let fields = line.split(separator: " ")
        guard fields.count >= 8, let port = port(of: fields[1]), let epoch = Int(fields[6]) else { return nil }
        return Entry(
            id: String(fields[0]), port: port, flags: Set(fields[2].split(separator: ",").map(String.init)),
            masterID: fields[3] == "-" ? nil : String(fields[3]), epoch: epoch,
            slots: fields.dropFirst(8).compactMap(range))
    }

    private static func port(of address: Substring) -> Int? {
        let endpoint = address.prefix { $0 != "@" }
        return endpoint.lastIndex(of: ":").flatMap { Int(endpoint[endpoint.index(after: $0)...]) }
    }

    /// `5` or `0-5460`; a slot on the move is `[5->-id]` and still counts where it is.
    private static func range(_ text: Substring) -> ClosedRange<Int>? {
        guard !text.hasPrefix("[") else { return nil }
        let ends = text.split(separator: "-").compactMap { Int($0) }
        guard let first = ends.first, let last = ends.last, first <= last else { return nil }
        return first...last
    }
}

extension ThrowawayServer {
    func clusterView() async throws -> ClusterView {
        ClusterView(try await cli(["CLUSTER", "NODES"], within: .seconds(2)))
    }
}
