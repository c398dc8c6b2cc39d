import ArgumentParser
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

    /// The same with the failures printed, and how many seeds in what time: the first one, or with `goesOn`
    /// all of them.
    ///
    /// - Returns: the first one, unless it goes on; nil when there was none.
    /// - Throws: ``ExitCode`` when it goes on and some failed.
    func printing<Failure>(
        goesOn: Bool, _ body: (UInt64) throws -> Failure?
    ) throws -> (seed: UInt64, failure: Failure)? {
        var failed = 0
        let found = try run { (seed: UInt64) -> Failure? in
            let failure = try body(seed)
            guard goesOn, let failure else { return failure }
            failed += 1
            show("seed \(seed): \(failure)")
            return nil
        }
        show(found.summary)
        if failed > 0 {
            show("\(failed) seeds failed")
            throw ExitCode(1)
        }
        return found.failure.map { ($0.seed, $0.1) }
    }
}
