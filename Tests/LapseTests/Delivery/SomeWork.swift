@testable import Lapse

extension WorkList {
    init(_ works: some Sequence<Work>) {
        self.init()
        append(contentsOf: works)
    }
}

extension Work {
    static func some(_ key: String, _ ordinal: UInt64, runID: String = "run", database: UInt16 = 0) -> Work {
        Work(
            Array(key.utf8), database: database, process: NodeProcess(runID: runID, node: "10.0.0.1:6379"),
            ordinal: ordinal, origin: .live, received: 0)
    }
}

extension Pace {
    /// After a handler that took so many nanoseconds.
    init(after time: Int64) {
        self.init()
        took(time)
    }

    /// Many at once, though others may help.
    static let quick = Pace(after: 10_000)
    /// One at a time.
    static let slow = Pace()
}
