package import RedisClient

/// What a peer answers to one question, piece by piece: what it heard, up to a window, and at last that
/// it has no more, or where the window ended.
package struct RepairReply {
    package enum Step: Sendable, Equatable {
        case tell(RepairAnswer)
        /// It cannot tell yet: its subscription has no numbers so far or is still bringing them, or the node's
        /// role is in doubt. To be asked again soon.
        case wait
        case over
    }

    /// What a log can tell of a stretch for now.
    package struct Piece: Sendable, Equatable {
        package var expirations: [HeardExpiration] = []
        /// The last ordinal that was looked at, if any was: one too large to travel is not among the
        /// expirations.
        package var through: UInt64?
        /// False when it cannot tell yet what comes after them.
        package var isClear = true
        /// The subscription stands and has not come so far: a slow connection may still bring what was
        /// announced before.
        package var isUnderWay = false
    }

    /// How much is told.
    package struct Limits: Sendable {
        /// About this many bytes in one answer.
        package var pieceBytes = 256 << 10
        /// About this many bytes to one question.
        package var windowBytes = 2 << 20

        package init() {}
    }

    /// A larger key does not travel between peers: it counts as not heard.
    package static let largestKey = 4 << 20

    private let request: RepairRequest
    private let id: String
    private let limits: Limits
    private var after: UInt64
    private var sent = 0
    private var waits = 0
    private var waitsForConnection = 0
    private var isOver = false
    /// Expirations told so far.
    package private(set) var count = 0
    /// How often it may be unable to tell: 5.5 s, less than a leader waits (8 s, `RepairInquiry`).
    private static let patience = 55
    /// How often its connection may still have to bring what is asked for: as much as 25 MB at 1 MB/s.
    private static let patienceForConnection = 250
    /// After this many of them it says that it is still there.
    private static let signOfLife = 10
    /// How long to wait before the next try.
    package static let pause = Duration.milliseconds(100)
    /// A build that does not know of windows takes what it is told for all there is.
    private static let windowOfOld = 8 << 20

    /// - Parameter id: the replica that answers.
    package init(to request: RepairRequest, from id: String, limits: Limits = Limits()) {
        self.request = request
        self.id = id
        self.limits = limits
        after = request.ordinals.lowerBound - 1
    }

    /// - Parameters:
    ///   - logs: what this replica heard.
    ///   - ownership: what it knows of a node's slots.
    package mutating func next(from logs: LogSet, _ ownership: (NodeAddress) -> SlotOwnership.OfNode) -> Step {
        guard !isOver else { return .over }
        let window = request.account == nil ? Self.windowOfOld : limits.windowBytes
        while let log = logs[request.runID], sent < window, after < request.ordinals.upperBound {
            let piece = log.heard(
                in: after + 1...request.ordinals.upperBound, bytes: limits.pieceBytes, ownership(log.address))
            after = max(after, piece.through ?? after)
            if !piece.expirations.isEmpty {
                count += piece.expirations.count
                sent += piece.expirations.reduce(0) { $0 + $1.key.count + 24 }
                return .tell(.heard(piece.expirations))
            }
            guard piece.through == nil else { continue }
            if !piece.isClear, waits < Self.patience {
                waits += 1
                return .wait
            }
            if piece.isClear, piece.isUnderWay, !request.isOpenEnded, waitsForConnection < Self.patienceForConnection {
                waitsForConnection += 1
                return waitsForConnection % Self.signOfLife == 0 ? .tell(.heard([])) : .wait
            }
            break
        }
        isOver = true
        if sent >= window, request.account != nil, after < request.ordinals.upperBound {
            return .tell(.more(replica: id, through: after))
        }
        return .tell(.done(replica: id, processes: logs.kept))
    }
}
