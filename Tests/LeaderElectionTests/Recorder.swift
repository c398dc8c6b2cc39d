import Synchronization

/// Something that several tasks of one test write down.
final class Recorder<Value: Sendable>: Sendable {
    private let content: Mutex<Value>

    init(_ value: Value) {
        content = Mutex(value)
    }

    var value: Value {
        get { content.withLock { $0 } }
        set { content.withLock { $0 = newValue } }
    }

    func edit<Result: Sendable>(_ change: (inout Value) -> Result) -> Result {
        content.withLock { value in change(&value) }
    }
}
