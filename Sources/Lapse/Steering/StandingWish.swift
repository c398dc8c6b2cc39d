import Timing

/// A wish that stands in a register now: its times as spans, since registers have clocks of their own.
package struct StandingWish: Sendable, Equatable {
    package var wish: Wish
    package var age: Duration
    package var left: Duration

    /// Nil for one that is over, or that was made in the future: none would end that one.
    ///
    /// - Parameter now: seconds since 1970, by the register's clock.
    package init?(_ wish: Wish, now: UInt64) {
        guard wish.expires > now, wish.made <= now + Self.tolerance else { return nil }
        self.init(
            wish: wish, age: .seconds(now - min(now, wish.made)), left: .seconds(wish.expires - now))
    }

    package init(wish: Wish, age: Duration, left: Duration) {
        (self.wish, self.age, self.left) = (wish, age, left)
    }

    /// A register's clock may be set back a little meanwhile, in seconds.
    private static let tolerance: UInt64 = 60
}

/// What all registers' words on one kind of wish amount to, counted from all registers.
package enum WishVote {
    /// A wish counts that a majority of the registers holds. Where that cannot be told, since registers do
    /// not answer, what was known before goes on: a register that was away shows neither an old wish nor
    /// hides a new one.
    ///
    /// - Parameters:
    ///   - words: one for each register that answered.
    ///   - before: the outcome of the look before.
    package static func outcome(
        _ words: [StandingWish?], of registers: Int, before: StandingWish?
    ) -> StandingWish? {
        let majority = registers / 2 + 1
        let unanswered = registers - min(registers, words.count)
        let held = Dictionary(grouping: words.compactMap(\.self), by: \.wish.nonce)
        guard let most = held.values.max(by: { $0.count < $1.count }) else {
            return unanswered >= majority ? before : nil
        }
        // The one that ends first: each register goes by its own clock.
        let wish = most.min { $0.left < $1.left }
        if most.count >= majority { return wish }
        let mayBe = most.count + unanswered >= majority && before?.wish.nonce == wish?.wish.nonce
        return mayBe ? wish : nil
    }

    /// Whether a wish counts, as one look tells; nil where the registers that tell nothing may decide it.
    ///
    /// - Parameter words: one for each register that tells something.
    package static func stands(_ words: [StandingWish?], of registers: Int) -> Bool? {
        if outcome(words, of: registers, before: nil) != nil { return true }
        let untold = registers - min(registers, words.count)
        let held = Dictionary(grouping: words.compactMap(\.self), by: \.wish.nonce).values.map(\.count).max() ?? 0
        return held + untold > registers / 2 ? nil : false
    }
}
