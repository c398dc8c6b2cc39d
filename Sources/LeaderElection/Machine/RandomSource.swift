/// Randomness as a value: the system's own for the service, a seed for the tests, so that the machine
/// stays a pure value and every run of it can be repeated.
package struct RandomSource: RandomNumberGenerator, Sendable {
    private var seed: UInt64?

    package static var system: RandomSource { RandomSource(seed: nil) }
    package static func seeded(_ seed: UInt64) -> RandomSource { RandomSource(seed: seed) }

    private init(seed: UInt64?) {
        self.seed = seed
    }

    package mutating func next() -> UInt64 {
        guard let state = seed else {
            var system = SystemRandomNumberGenerator()
            return system.next()
        }
        // SplitMix64.
        seed = state &+ 0x9E37_79B9_7F4A_7C15
        var mixed = state &+ 0x9E37_79B9_7F4A_7C15
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A duration within `range`, to the microsecond.
    mutating func duration(in range: ClosedRange<Duration>) -> Duration {
        let low = range.lowerBound.microseconds
        let high = range.upperBound.microseconds
        return .microseconds(Int64.random(in: low...high, using: &self))
    }

    /// 32 hexadecimal digits.
    mutating func hexadecimal() -> String {
        let words = [next(), next()]
        return words.map { word in
            let digits = String(word, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }
}

extension Duration {
    /// Whole microseconds.
    var microseconds: Int64 {
        components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000
    }
}
