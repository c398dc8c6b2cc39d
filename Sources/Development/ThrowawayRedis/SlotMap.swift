/// Which node, by port, serves each slot; for servers without a cluster the one master serves all.
struct SlotMap {
    private var ports = [Int](repeating: 0, count: ThrowawayCluster.slotCount)

    func port(of slot: Int) -> Int? { ports[slot] == 0 ? nil : ports[slot] }

    /// Learns from `MOVED <slot> <host>:<port>`; false when it is something else.
    mutating func learn(fromError text: String) -> Bool {
        guard let (slot, port) = Self.redirect(text, "MOVED") else { return false }
        ports[slot] = port
        return true
    }

    /// The slot and port of a redirect of the given kind.
    static func redirect(_ text: String, _ kind: String) -> (slot: Int, port: Int)? {
        let words = text.split(separator: " ")
        guard words.count == 3, words[0] == kind, let slot = Int(words[1]),
            let port = words[2].split(separator: ":").last.flatMap({ Int($0) })
        else { return nil }
        return (slot, port)
    }

    /// Asks a node at random, so that one with an outdated view does not stand in the way for long.
    mutating func refresh(from nodes: [ThrowawayServer]) {
        for node in nodes.shuffled() where node.isLive {
            guard let connection = PlainConnection(to: node, within: .milliseconds(100)),
                let reply = connection.ask(["CLUSTER", "SLOTS"], within: .milliseconds(200))
            else { continue }
            if case .array(let ranges) = reply, !ranges.isEmpty {
                for range in ranges.map(\.items) where range.count >= 3 {
                    guard let first = range[0].integer, let last = range[1].integer,
                        let port = range[2].items.dropFirst().first?.integer
                    else { continue }
                    for slot in first...last { ports[slot] = port }
                }
                return
            }
            let role = connection.ask(["ROLE"], within: .milliseconds(200))
            if role?.items.first?.text == "master", case .error = reply {
                ports = ports.map { _ in node.port }
                return
            }
        }
    }
}
