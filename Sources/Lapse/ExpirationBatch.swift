/// Expirations of one node, in the order in which it announced them. A key may occur twice.
public struct ExpirationBatch: Sendable, RandomAccessCollection {
    /// The most that one batch holds.
    public static let limit = NodeBatch.limit

    private let deliveries: DeliveryList
    /// Of a batch of one, its companion's.
    private let value: [UInt8]?

    init(_ deliveries: DeliveryList, value: [UInt8]? = nil) {
        self.deliveries = deliveries
        self.value = value
    }

    /// 0.
    public var startIndex: Int { 0 }
    /// How many there are.
    public var endIndex: Int { deliveries.endIndex }

    /// One of them; an index beyond the batch traps.
    public subscript(index: Int) -> Expiration {
        precondition(deliveries.indices.contains(index), "an expiration beyond the batch")
        let expiration = deliveries.expiration(index)
        guard let value else { return expiration }
        return Expiration(expiration.slice, expiration.index, value: value)
    }

    /// 1 for the first attempt. What is tried again comes alone.
    public func attempt(at index: Int) -> Int { Int(deliveries.entry(index).attempt) }
}

extension ExpirationBatch {
    /// What no Redis announced, for tests of a handler.
    ///
    /// - Parameters:
    ///   - expirations: at most ``limit``; more trap. Only one alone keeps its ``Expiration/value``: so it
    ///     is with companion rules.
    ///   - attempt: 1 for the first.
    public init(testing expirations: [Expiration], attempt: Int = 1) {
        precondition(expirations.count <= Self.limit, "a batch holds at most \(Self.limit)")
        var deliveries = DeliveryList(reserving: expirations.count)
        for expiration in expirations { deliveries.append(expiration.delivery.numbered(attempt)) }
        self.init(deliveries, value: expirations.count == 1 ? expirations[0].value : nil)
    }
}
