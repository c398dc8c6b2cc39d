/// What became of the expirations that one node announced in this term, by their positions.
///
/// A term answers for every ordinal from the cursor that it took over to the last one announced, and
/// for those that its predecessor left pending. Each of them is in exactly one of the other numbers, at
/// every instant:
/// `announced = handled + deadLettered + pending + waiting + lost + ignored + unannounced`.
public struct NodeAccount: Sendable, Codable, Equatable {
    /// Announced, and this term's to answer for. Forged messages have positions and are among them.
    public var announced: UInt64 = 0
    /// The handler has succeeded.
    public var handled: UInt64 = 0
    /// Given up after the last retry: in the dead letters.
    public var deadLettered: UInt64 = 0
    /// Taken up and not finished: about to be handed out, queued behind another of its key, in a handler,
    /// or to be tried again.
    public var pending: UInt64 = 0
    /// Not taken up yet: in the log, or in a hole under repair.
    public var waiting: UInt64 = 0
    /// Missed by every replica, or trimmed before their turn.
    public var lost: UInt64 = 0
    /// Passed over: not wanted, Lapse's own, or announced by a node that did not own the slot.
    public var ignored: UInt64 = 0
    /// Counted by the node, which was set to announce all the while, and never announced: no listener could
    /// hear of it.
    public var unannounced: UInt64 = 0

    /// An account of nothing.
    public init() {}

    /// What is announced and nowhere else; anything but 0 is a defect of Lapse.
    public var imbalance: Int64 {
        Int64(announced) - Int64(handled + deadLettered + pending + waiting + lost + ignored + unannounced)
    }

    /// The account of two logs together.
    public static func + (left: NodeAccount, right: NodeAccount) -> NodeAccount {
        var sum = left
        sum.announced += right.announced
        sum.handled += right.handled
        sum.deadLettered += right.deadLettered
        sum.pending += right.pending
        sum.waiting += right.waiting
        sum.lost += right.lost
        sum.ignored += right.ignored
        sum.unannounced += right.unannounced
        return sum
    }

    /// The numbers by the values of the label `state`.
    package var states: [(name: String, count: UInt64)] {
        [
            ("announced", announced), ("handled", handled), ("dead_lettered", deadLettered), ("pending", pending),
            ("waiting", waiting), ("lost", lost), ("ignored", ignored), ("unannounced", unannounced),
        ]
    }
}

/// Counts what becomes of the ordinals that a cursor passes or finishes. The cursor itself knows what
/// is pending.
package struct Tally: Sendable, Equatable {
    /// What can become of an ordinal.
    package enum Outcome: Sendable { case handled, deadLettered, lost, ignored, unannounced }

    /// Where the cursor stood when the term took it over.
    private let from: UInt64
    /// Left pending by the term before.
    private var inherited: UInt64
    private var handled: UInt64 = 0
    private var deadLettered: UInt64 = 0
    private var lost: UInt64 = 0
    private var ignored: UInt64 = 0
    private var unannounced: UInt64 = 0

    package init(_ cursor: Cursor) {
        from = cursor.through
        inherited = UInt64(cursor.pending.count)
    }

    /// `many` from before the cursor turned out to be owed.
    package mutating func include(_ many: UInt64) { inherited += many }

    package mutating func count(_ outcome: Outcome, _ many: UInt64 = 1) {
        switch outcome {
        case .handled: handled += many
        case .deadLettered: deadLettered += many
        case .lost: lost += many
        case .ignored: ignored += many
        case .unannounced: unannounced += many
        }
    }

    /// The account, by where the cursor stands now and what the node has announced.
    package func account(_ cursor: Cursor, last: UInt64) -> NodeAccount {
        // A predecessor may have heard what this replica has yet to hear.
        let head = max(last, cursor.through)
        var account = NodeAccount()
        account.announced = head - from + inherited
        account.waiting = head - cursor.through
        account.pending = UInt64(cursor.pending.count)
        account.handled = handled
        account.deadLettered = deadLettered
        account.lost = lost
        account.ignored = ignored
        account.unannounced = unannounced
        return account
    }
}
