import Foundation

/// Seed after seed until one fails, or the time is over.
struct Search {
    let from: UInt64
    let count: UInt64
    let minutes: Double?

    struct Found<Failure> {
        var tried: UInt64 = 0
        var seconds = 0.0
        var failure: (seed: UInt64, Failure)?

        /// How many seeds, in what time.
        var summary: String {
            "\(tried) seeds, \(String(format: "%.1f", seconds)) s, \(Int(Double(tried) / max(seconds, 0.001))) seeds/s"
        }
    }

    func run<Failure>(_ body: (UInt64) throws -> Failure?) rethrows -> Found<Failure> {
        var found = Found<Failure>()
        let clock = ContinuousClock()
        let began = clock.now
        for seed in from..<(from + count) {
            found.tried += 1
            if let violation = try body(seed) {
                found.failure = (seed, violation)
                break
            }
            if let minutes, clock.now - began > .seconds(minutes * 60) { break }
        }
        found.seconds = (clock.now - began) / .seconds(1)
        return found
    }
}
