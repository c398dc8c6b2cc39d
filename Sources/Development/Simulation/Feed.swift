import Lapse
import RedisClient
import Timing

/// One replica's subscription to one server, kept alive.
final class Feed {
    let node: Int
    /// By which it knows the node.
    let address: NodeAddress
    var connection: Connection?
    var log: NodeLog?
    var watch = FeedWatch(patience: 3)
    var mark: (nonce: String, arrived: Bool, counter: UInt64?)?
    var marks = 0
    var isSilent = false
    var wasSilent = false
    var ping = PingWatch()
    /// Looks begun when the ping was sent that waits, and that was answered last.
    var pingedAt = 0
    var since = 0
    /// Something has come since the last look at the node, and since a silence began.
    var hasHeard = false
    var hasSpoken = false
    var backoff = Backoff()
    /// Heard in this subscription before the first mark gave them their ordinals.
    var unnumbered: [UInt64] = []
    var isNumbered = false
    /// How far the leader was known to be when the mark was made.
    var floorAtMark: UInt64 = 0
    /// Peers that wait for the next mark.
    var awaitingMark: [() -> Void] = []
    var isMarkForPeer = false
    /// It has not asked its peers yet about a process that this replica had not heard before.
    var isNewcomer = false
    /// Since when the view has not had its node.
    var absentSince: Duration?
    var isGivenUp = false

    init(node: Int, address: NodeAddress) {
        self.node = node
        self.address = address
    }

    /// The mark under way has arrived, or its subscription has ended: the peers that wait for it go on.
    func endMark() {
        mark = nil
        isMarkForPeer = false
        let waiting = awaitingMark
        awaitingMark = []
        for done in waiting { done() }
    }
}
