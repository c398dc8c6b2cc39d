import Synchronization

/// A server process that announces expirations: a number for its run ID and address, so that no thread
/// counts references to strings. The names stay for the life of this process, about 350 bytes each: a
/// hundred nodes that restart every day come to 13 MB in a year.
package struct NodeProcess: Hashable, Sendable {
    private struct Names: Hashable {
        var runID: String
        var node: String
    }

    private struct Register {
        var names: [Names] = []
        var numbers: [Names: UInt32] = [:]
    }

    private static let register = Mutex(Register())
    private let number: UInt32

    /// - Parameter node: its address, `host:port`.
    package init(runID: String, node: String) {
        let names = Names(runID: runID, node: node)
        number = Self.register.withLock { register in
            if let number = register.numbers[names] { return number }
            let number = UInt32(register.names.count)
            register.names.append(names)
            register.numbers[names] = number
            return number
        }
    }

    /// For names out of a stream, which any client may have written: past a number that no deployment
    /// reaches all further ones are one process without names.
    static func bounded(runID: String, node: String) -> NodeProcess {
        let isFull = register.withLock {
            $0.names.count >= 100_000 && $0.numbers[Names(runID: runID, node: node)] == nil
        }
        return isFull ? NodeProcess(runID: "", node: "") : NodeProcess(runID: runID, node: node)
    }

    package var runID: String { names.runID }
    /// The address, `host:port`.
    package var node: String { names.node }

    private var names: Names { Self.register.withLock { $0.names[Int(number)] } }
}
