import RESP

/// A log's account as the leader publishes it beside its progress, for `lapse status`.
package struct PublishedAccount: Sendable, Equatable {
    package var runID: String
    /// The token of the term that wrote it, and the number of the write: it belongs to the progress with
    /// the same pair.
    package var token: UInt64
    package var write: UInt64
    package var account: NodeAccount

    /// Nil for progress without an account.
    package init?(_ progress: Progress) {
        guard let account = progress.account else { return nil }
        (runID, token, write, self.account) = (progress.runID, progress.token, progress.write, account)
    }

    /// The field's name in the progress hash.
    package static func field(_ runID: String) -> String { "account:\(runID)" }

    /// `token write announced handled dead-lettered pending waiting lost ignored unannounced`; the first
    /// format had no `unannounced`.
    package var text: String { ([token, write] + account.states.map(\.count)).map { "\($0)" }.joined(separator: " ") }

    package init?(field: String, text: String) {
        let numbers = text.split(separator: " ").compactMap { PlausibleCount.read($0) }
        guard field.hasPrefix(Self.field("")), numbers.count == 9 || numbers.count == 10 else { return nil }
        runID = String(field.dropFirst(Self.field("").count))
        (token, write) = (numbers[0], numbers[1])
        account = NodeAccount()
        account.announced = numbers[2]
        account.handled = numbers[3]
        account.deadLettered = numbers[4]
        account.pending = numbers[5]
        account.waiting = numbers[6]
        account.lost = numbers[7]
        account.ignored = numbers[8]
        account.unannounced = numbers.count > 9 ? numbers[9] : 0
    }

    package func isNewer(than other: PublishedAccount) -> Bool { (token, write) > (other.token, other.write) }
}
