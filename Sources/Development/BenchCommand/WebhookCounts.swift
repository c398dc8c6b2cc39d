/// What a receiver of webhooks has had so far, and how it says so: four numbers in a line.
struct WebhookCounts: Sendable, Equatable {
    var requests = 0
    /// Ids, each counted once.
    var distinct = 0
    /// Of all bodies.
    var bytes = 0
    /// From the end of the first request to the end of the last.
    var elapsed = Duration.zero

    init() {}

    init?(_ text: Substring) {
        let numbers = text.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
        guard numbers.count == 4 else { return nil }
        requests = numbers[0]
        distinct = numbers[1]
        bytes = numbers[2]
        elapsed = .nanoseconds(numbers[3])
    }

    var text: String { "\(requests) \(distinct) \(bytes) \(Int(elapsed / .nanoseconds(1)))\n" }
}
