package import RedisClient

/// For each entry that was to be begun, in the order of their IDs: the number of attempts begun, or nil
/// where another worker has it.
package struct AttemptCounts: Sendable, ExpressibleByDictionaryLiteral {
    package private(set) var all: [(id: StreamID, count: Int?)] = []

    package init() {}

    package init(dictionaryLiteral counts: (StreamID, Int?)...) {
        self.init(counts)
    }

    /// - Parameter counts: in any order, each ID once.
    package init(_ counts: [(StreamID, Int?)]) {
        all = counts.map { (id: $0.0, count: $0.1) }.sorted { $0.id < $1.id }
    }

    mutating func reserve(_ count: Int) { all.reserveCapacity(count) }

    /// The ID comes behind all others.
    mutating func append(_ id: StreamID, _ count: Int?) { all.append((id: id, count: count)) }
}
