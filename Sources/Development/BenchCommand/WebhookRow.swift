import Foundation

/// One line of the table of webhooks.
struct WebhookRow {
    let name: String
    let events: Int
    var costs: [WebhookRound.Cost] = []

    static let header = """
        | what posts | requests/s (each round) | × the first | CPU s per million (each round) | × the first |
        |---|---|---|---|---|
        """

    func text(beside yardstick: WebhookRow) -> String {
        let rates = costs.map { "\(Int(rate(over: $0.counts.elapsed)))" }.joined(separator: " ")
        let times = costs.map { BenchRow.seconds(perMillion($0.processorTime)) }.joined(separator: " ")
        let pace = rate(over: elapsed)
        let cost = perMillion(processorTime)
        let faster = Self.ratio(pace / yardstick.rate(over: yardstick.elapsed))
        let dearer = Self.ratio(cost / yardstick.perMillion(yardstick.processorTime))
        return "| \(name) | \(Int(pace)) (\(rates)) | \(faster) | \(BenchRow.seconds(cost)) (\(times)) | \(dearer) |"
    }

    private var elapsed: Duration { costs.map(\.counts.elapsed).median }
    private var processorTime: Duration { costs.map(\.processorTime).median }

    /// A second. The time begins at the end of the first of them.
    private func rate(over elapsed: Duration) -> Double { Double(events - 1) / (elapsed / .seconds(1)) }

    private func perMillion(_ time: Duration) -> Duration { time * 1_000_000 / events }

    private static func ratio(_ value: Double) -> String { String(format: "%.2f", value) }
}
