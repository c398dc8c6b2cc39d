import RESP

/// The keys of a stream of expirations: its partitions, and what stands beside each, in its slot.
///
/// One partition is the key itself. Several are `KEY:{p<i>-<j>}`: `j` is the smallest number whose slot
/// lies in the i-th N-th of all slots, so each writer and each worker computes the same keys without
/// looking at the topology.
package struct StreamKeys: Sendable, Equatable {
    package struct Unusable: Error, Equatable, CustomStringConvertible {
        package let description: String
    }

    /// The most partitions of a stream.
    package static let limit = 256

    /// What the user calls the stream.
    package let key: String
    /// The streams, at least one.
    package let partitions: [String]
    private let beginnings: [[UInt8]]
    private let besides: [[UInt8]]
    private let streams: [[UInt8]]

    /// - Throws: where the key, or what stands beside it, would share no slot.
    package init(_ key: String, partitions count: Int = 1) throws(Unusable) {
        guard !key.isEmpty, key.utf8.count <= 1024 else { throw Unusable(description: "is no key: 1 to 1024 bytes") }
        guard (1...Self.limit).contains(count) else {
            throw Unusable(description: "has \(count) partitions: 1 to \(Self.limit)")
        }
        let isTagged = Self.isTagged(key)
        let hasBraces = key.utf8.contains { $0 == UInt8(ascii: "{") || $0 == UInt8(ascii: "}") }
        guard isTagged || !hasBraces else {
            throw Unusable(description: "has braces that are no hash tag: write {TAG}, or none")
        }
        guard !isTagged || count == 1 else {
            throw Unusable(description: "has a hash tag, so all partitions would be in one slot: leave out the braces")
        }
        self.key = key
        beginnings = [Array(key.utf8), Array("{\(key)".utf8)]
        partitions = count == 1 ? [key] : (0..<count).map { Self.partition(key, $0, of: count) }
        streams = partitions.map { Array($0.utf8) }
        besides = ([key] + partitions).map { Array(Self.beside($0, "").utf8) }
    }

    /// How many partitions there are, and of which format: a hash that workers read.
    package var layout: String { Self.beside(key, "layout") }

    /// What the writer keeps of a partition: the largest token, how long the stream was.
    package func writer(of partition: Int) -> String { Self.beside(partitions[partition], "writer") }

    /// Which positions of a server process the partition has.
    package func cursor(of partition: Int, runID: String) -> String {
        Self.beside(partitions[partition], "cursor:\(runID)")
    }

    /// A key in the slot of a partition, for one purpose.
    package func beside(_ partition: Int, _ purpose: String) -> String { Self.beside(partitions[partition], purpose) }

    /// Whether a key is a partition, or one that stands beside one.
    package func owns(_ name: RawSpan) -> Bool {
        // Nearly all keys differ within a few bytes.
        guard beginnings.contains(where: { name.starts(with: $0) }) else { return false }
        return besides.contains { name.starts(with: $0) } || streams.contains { name.equals($0) }
    }

    private static func beside(_ stream: String, _ purpose: String) -> String {
        isTagged(stream) ? "\(stream):lapse:\(purpose)" : "{\(stream)}:lapse:\(purpose)"
    }

    private static func partition(_ key: String, _ index: Int, of count: Int) -> String {
        let all = Int(HashSlot.count)
        let slots = index * all / count..<(index + 1) * all / count
        // Each number falls into the N-th with a chance of 1 in N, so some hundred are enough; all are
        // distinct in the end.
        var number = 0
        while true {
            let name = "\(key):{p\(index)-\(number)}"
            if slots.contains(Int(HashSlot.of(name))) { return name }
            number += 1
        }
    }

    private static func isTagged(_ key: String) -> Bool {
        guard let open = key.utf8.firstIndex(of: UInt8(ascii: "{")) else { return false }
        let inside = key.utf8[key.utf8.index(after: open)...]
        guard let close = inside.firstIndex(of: UInt8(ascii: "}")) else { return false }
        return close > inside.startIndex
    }
}
