import Lapse
import Synchronization

/// The keys that a handler has had.
final class HandledKeys: Sendable {
    private let keys = Mutex<Set<String>>([])

    var all: Set<String> { keys.withLock { $0 } }

    func add(_ key: ExpirationKey) { keys.withLock { _ = $0.insert(key.description) } }
}
