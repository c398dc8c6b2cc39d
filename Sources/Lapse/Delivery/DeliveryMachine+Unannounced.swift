/// What Redis never announced: it has no place in a log, and is handled between what has one.
extension DeliveryMachine {
    /// Takes up expirations that were found otherwise than by an announcement; returns those for which it
    /// is too early.
    ///
    /// While anything heard is still to be taken up, an announcement of the same key may be among it: then
    /// nothing is taken. A key of which an expiration is on its way must wait as well.
    package mutating func offer(_ offered: [Delivery]) -> [Delivery] {
        guard phase == .running else { return offered }
        let heard = logs.all.compactMap { log in
            log.baseline == nil ? nil : log.counts.last.map { (log.runID, $0) }
        }
        fill(readyLimit)
        guard hasRead(heard) else { return offered }
        return offered.filter { delivery in
            guard freshCount < readyLimit, !isUnderWay(delivery.keyHash) else { return true }
            admit(delivery)
            return false
        }
    }

    private func hasRead(_ heard: [(runID: String, last: UInt64)]) -> Bool {
        repairing.isEmpty
            && heard.allSatisfy { runID, last in cursors[runID].map { $0.through >= last } ?? false }
    }
}
