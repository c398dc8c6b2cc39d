import Foundation

/// One line of the table.
struct BenchRow {
    let name: String
    let events: Int
    let processorTimes: [Duration]
    let wallTimes: [Duration]
    let idleMemory: Int
    let memory: Int

    static let header = """
        | subject | CPU s per million (each round) | × the first | events/s | RSS idle -> end, MiB |
        |---|---|---|---|---|
        """

    var perMillion: Duration { processorTimes.median * 1_000_000 / events }

    func text(beside yardstick: Duration) -> String {
        let rounds = processorTimes.map { Self.seconds($0 * 1_000_000 / events) }.joined(separator: " ")
        let ratio = String(format: "%.2f", perMillion / yardstick)
        return "| \(name) | \(Self.seconds(perMillion)) (\(rounds)) | \(ratio) | "
            + "\(Int(Double(events) / (wallTimes.median / .seconds(1)))) | "
            + "\(idleMemory >> 20) -> \(memory >> 20) |"
    }

    static func seconds(_ duration: Duration) -> String { String(format: "%.3f", duration / .seconds(1)) }
}
