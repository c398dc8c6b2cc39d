import RESP
import RedisClient
import Synchronization
import Timing

/// Takes the hints of one server and one database to its machine. A connection of their own brings
/// them: it may be cut, and then a sweep makes up for it, while a feed that is cut loses expirations.
final class HintSink: PushReceiver {
    private let node: PunctualNode
    private let silent: @Sendable () -> Void
    private let rings = Atomic(false)
    private let heard = Atomic(false)

    /// - Parameter silent: the server has fallen silent.
    init(_ node: PunctualNode, silent: @escaping @Sendable () -> Void) {
        self.node = node
        self.silent = silent
    }

    /// Whether a hint has come, of whichever key.
    var hasHeard: Bool { heard.load(ordering: .relaxed) }

    func receive(_ batch: borrowing ReplyBatch) {
        let now = SystemClock.glance().monotonic
        var isAwaited = false
        var hasHints = false
        let filter = node.filter
        let database = node.database
        let canaries = node.dependencies.canaries
        node.machine.withLock { machine in
            batch.forEachPush { run in
                // Nothing but hints is subscribed to here.
                hasHints = true
                run.forEachPayload { key in
                    guard filter.wants(key, database: database) || canaries?.awaits(key) ?? false else { return }
                    if machine.hint(key, now: now) { isAwaited = true }
                }
            } other: { _, _, _ in
                // A key too large to be kept.
            }
        }
        if hasHints { heard.store(true, ordering: .relaxed) }
        if isAwaited { rings.store(true, ordering: .relaxed) }
    }

    func receivedAll() {
        if rings.exchange(false, ordering: .relaxed) { node.askBell.ring() }
    }

    func silenceChanged(_ isSilent: Bool) { if isSilent { silent() } }
}
