/// What a peer answers to one request, piece by piece: what it heard, up to a limit, and at last that it has no more.
package struct RepairReply {
    private let request: RepairRequest
    private let id: String
    private var after: UInt64
    private var sent = 0
    private var isOver = false
    /// Expirations told so far.
    package private(set) var count = 0
    private static let batchBytes = 256 << 10
    private static let limitBytes = 32 << 20

    /// - Parameter id: the replica that answers.
    package init(to request: RepairRequest, from id: String) {
        self.request = request
        self.id = id
        after = request.ordinals.lowerBound - 1
    }

    /// - Parameter log: of the node process that was asked about; nil when this replica has none.
    /// - Returns: nil after the last piece.
    package mutating func next(from log: NodeLog?) -> RepairAnswer? {
        guard !isOver else { return nil }
        if let log, sent < Self.limitBytes, after < request.ordinals.upperBound {
            let batch = log.heard(in: after + 1...request.ordinals.upperBound, bytes: Self.batchBytes)
            if let last = batch.last {
                count += batch.count
                sent += batch.reduce(0) { $0 + $1.key.count + 24 }
                after = last.ordinal
                return .heard(batch)
            }
        }
        isOver = true
        return .done(replica: id)
    }
}

/// The requests a peer has heard: each comes in by every feed, the first one counts.
package struct RepairRequestsHeard {
    private var nonces: [String] = []

    package init() {}

    /// Whether `id` is to answer: it is not its own, and the first of its nonce.
    package mutating func isNew(_ request: RepairRequest, for id: String) -> Bool {
        guard request.asker != id, !nonces.contains(request.nonce) else { return false }
        nonces.append(request.nonce)
        if nonces.count > 256 { nonces.removeFirst() }
        return true
    }
}
