package import RedisClient

/// What a peer answers to one request, piece by piece: what it heard, up to a limit, and at last that it has no more.
package struct RepairReply {
    package enum Step: Sendable, Equatable {
        case tell(RepairAnswer)
        /// It cannot tell yet: its subscription has no numbers so far, or the node's role is in doubt. To be asked again soon.
        case wait
        case over
    }

    /// What a log can tell of a stretch for now.
    package struct Piece: Sendable, Equatable {
        package var expirations: [HeardExpiration] = []
        /// False when it cannot tell yet what comes after them.
        package var isClear = true
    }

    private let request: RepairRequest
    private let id: String
    private var after: UInt64
    private var sent = 0
    private var waits = 0
    private var isOver = false
    /// Expirations told so far.
    package private(set) var count = 0
    private static let batchBytes = 256 << 10
    private let limitBytes: Int
    private static let limitBytes = 32 << 20
    /// How often it may be unable to tell: as long as a leader waits.
    private static let patience = 20
    /// How long to wait before the next try.
    package static let pause = Duration.milliseconds(100)

    /// - Parameters:
    ///   - id: the replica that answers.
    ///   - limitBytes: the most to tell; nil for the usual.
    package init(to request: RepairRequest, from id: String, limitBytes: Int? = nil) {
        self.limitBytes = limitBytes ?? Self.limitBytes
        self.request = request
        self.id = id
        after = request.ordinals.lowerBound - 1
    }

    /// - Parameters:
    ///   - logs: what this replica heard.
    ///   - ownership: what it knows of a node's slots.
    package mutating func next(from logs: LogBook, _ ownership: (NodeAddress) -> Ownership.OfNode) -> Step {
        guard !isOver else { return .over }
        if let log = logs[request.runID], sent < limitBytes, after < request.ordinals.upperBound {
            let piece = log.heard(
                in: after + 1...request.ordinals.upperBound, bytes: min(Self.batchBytes, limitBytes),
                ownership(log.address))
            if let last = piece.expirations.last {
                count += piece.expirations.count
                sent += piece.expirations.reduce(0) { $0 + $1.key.count + 24 }
                after = last.ordinal
                return .tell(.heard(piece.expirations))
            }
            if !piece.isClear, waits < Self.patience {
                waits += 1
                return .wait
            }
        }
        isOver = true
        return .tell(.done(replica: id, processes: logs.kept))
    }
}

/// The requests a peer has heard: each comes in by every feed, and again until all have answered; the first one counts.
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

    /// The answer could not be written: the next time it is heard it is new.
    package mutating func forget(_ request: RepairRequest) { nonces.removeAll { $0 == request.nonce } }
}
