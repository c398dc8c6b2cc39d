internal import NIOCore
import RESP

/// A node's answer to `CLUSTER NODES` without what differs from second to second, or between nodes that
/// agree: the times of pings, the state of links, the order of lines, the node asked. Equal tables say
/// the same about nodes, roles and slots, and are not read again: with a hundred nodes they have 15 KB,
/// and several come each second.
struct ClusterTable: Sendable {
    private let lines: [ArraySlice<UInt8>]
    /// The role in which the node that answered sees itself.
    let ownRole: Topology.Role?
    /// The ID of the node that answered.
    let ownID: String?
    /// No line leaves a host out: such a line means the host that was asked, so that equal words may differ
    /// in meaning.
    let namesEveryHost: Bool

    /// Source: Redis documentation of CLUSTER NODES (serialization format).
    private enum Field { static let address = 1, flags = 2, changing = [4, 5, 7] }
    private static let myself = Array("myself,".utf8)
    private static let master = Array("master".utf8)

    init(_ answer: RESPValue) {
        var ownRole: Topology.Role?
        var ownID: String?
        var namesEveryHost = true
        let bytes = answer.bytes.map { Array($0.readableBytesView) } ?? []
        lines = bytes.split { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }.map { line in
            var kept: ArraySlice<UInt8> = []
            kept.reserveCapacity(line.count)
            for (number, field) in line.split(separator: UInt8(ascii: " ")).enumerated() {
                var field = field
                if number == Field.address, field.first == UInt8(ascii: ":") { namesEveryHost = false }
                if number == Field.flags, field.starts(with: Self.myself) {
                    field = field.dropFirst(Self.myself.count)
                    ownRole = field.starts(with: Self.master) ? .master : .replica
                    ownID = line.firstIndex(of: UInt8(ascii: " ")).map { String(decoding: line[..<$0], as: UTF8.self) }
                }
                if Field.changing.contains(number) { continue }
                kept.append(contentsOf: field)
                kept.append(UInt8(ascii: " "))
            }
            return kept
        }.sorted { $0.lexicographicallyPrecedes($1) }
        self.ownRole = ownRole
        self.ownID = ownID
        self.namesEveryHost = namesEveryHost
    }

    func saysTheSame(as other: ClusterTable) -> Bool { lines == other.lines }

    /// The ID of the node that answered; nil when the answer names none.
    static func ownID(in answer: RESPValue) -> String? {
        guard let view = answer.bytes?.readableBytesView else { return nil }
        for line in view.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: " "), maxSplits: Field.flags + 1)
            guard fields.count > Field.flags, fields[Field.flags].starts(with: Self.myself.dropLast()) else { continue }
            return String(decoding: fields[0], as: UTF8.self)
        }
        return nil
    }
}
