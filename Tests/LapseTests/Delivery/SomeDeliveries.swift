import LeaderElection

@testable import Lapse

extension DeliveryList {
    init(_ deliveries: some Sequence<Delivery>) {
        self.init()
        append(contentsOf: deliveries)
    }
}

extension Delivery {
    static func some(_ key: String, _ ordinal: UInt64, runID: String = "run", database: UInt16 = 0) -> Delivery {
        Delivery(
            Array(key.utf8), database: database, process: NodeProcess(runID: runID, node: "10.0.0.1:6379"),
            ordinal: ordinal, origin: .live, received: 0)
    }
}

extension DeliveryMachine {
    /// One that leads, without logs: what it hands out is what a test admits.
    static func leading(_ bounds: WaitingRoom.Bounds = .init(), order: Order = .ofKeys) -> DeliveryMachine {
        var machine = DeliveryMachine(
            logs: LogSet(limitBytes: 1 << 20, limitAge: .seconds(60)),
            filter: KeyFilter(match: [], ignore: [], databases: [0]), lanes: 1, order: order, bounds: bounds)
        machine.begin(token: FencingToken(rawValue: 1), progress: [:], now: 0)
        return machine
    }

    /// As if it had come from the log that is open.
    mutating func admitHere(_ delivery: Delivery) {
        let placed = Delivery(
            delivery.key.bytes, database: delivery.database, process: delivery.slice.process, ordinal: delivery.ordinal,
            origin: delivery.origin, received: delivery.received, cursorIndex: cursors.index(of: delivery.runID))
        admit(placed)
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
