import Logging
import Synchronization

/// Says so when an account does not add up. That is a defect of Lapse, never a fault of its
/// surroundings.
final class AccountWatch: Sendable {
    private let logger: Logger
    /// What was last said, by run ID.
    private let told = Mutex<[String: Int64]>([:])

    init(_ logger: Logger) { self.logger = logger }

    /// Says what does not add up, once for each amount.
    func look(_ accounts: [DeliveryMachine.LogAccount]) {
        for log in accounts where log.account.imbalance != told.withLock({ $0[log.runID] ?? 0 }) {
            told.withLock { $0[log.runID] = log.account.imbalance }
            guard log.account.imbalance != 0 else { continue }
            var metadata: Logger.Metadata = ["node": "\(log.node)", "runId": "\(log.runID)"]
            metadata.merge(log.account.metadata) { $1 }
            logger.error("account does not balance", metadata: metadata)
        }
    }

    /// What this term answered for, at its end.
    func close(_ accounts: [DeliveryMachine.LogAccount]) {
        look(accounts)
        let sum = accounts.reduce(NodeAccount()) { $0 + $1.account }
        logger.info("account of the term", metadata: sum.metadata)
    }
}

extension NodeAccount {
    fileprivate var metadata: Logger.Metadata {
        [
            "announced": .stringConvertible(announced), "handled": .stringConvertible(handled),
            "deadLettered": .stringConvertible(deadLettered), "pending": .stringConvertible(pending),
            "waiting": .stringConvertible(waiting), "lost": .stringConvertible(lost),
            "ignored": .stringConvertible(ignored), "unannounced": .stringConvertible(unannounced),
        ]
    }
}
