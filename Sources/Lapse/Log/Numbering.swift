import RESP

/// Counts one node process's expirations exactly, from marks: a nonce published in the step that reads
/// `expired_keys` arrives behind exactly that many. One mark after each subscription gives the
/// ordinals; later marks verify.
///
/// What the node counted and did not announce lies where the next mark stands, of whatever replica (see
/// ``Claim``): so all that hear it give what follows the same numbers.
///
/// A counter that falls was reset (`CONFIG RESETSTAT`), one that lags met forged messages: ordinal =
/// counter + `base` goes on.
package struct Numbering: Sendable, Equatable {
    /// What a mark showed.
    package enum Finding: Sendable, Equatable {
        /// The subscription's entries get their ordinals: entry i is number `offset + i`. `missed` are those
        /// announced while no subscription stood.
        case numbered(offset: UInt64, missed: ClosedRange<UInt64>?)
        /// As many as were heard.
        case confirmed
        /// This many, at the end of what was heard so far, were announced but not heard.
        case missed(ClosedRange<UInt64>)
        /// This many messages were heard that Redis did not count: forged by PUBLISH.
        case surplus(UInt64)
        /// The counter was reset; the ordinals go on.
        case reset
        /// Everything heard in this subscription, behind `start`, was numbered too low: the others knew of a
        /// reset, or of forged messages, from before it began.
        case renumbered(after: UInt64, by: UInt64)
    }

    /// What to add to the node's counter to get an ordinal.
    package private(set) var base: Int64 = 0
    /// ``base`` as the last mark left it: what it has grown by since was told by another replica.
    private var markedBase: Int64 = 0
    /// The ordinal of the last expiration known, in whatever subscription.
    package internal(set) var last: UInt64?
    /// Heard in this subscription.
    var heard: UInt64 = 0
    var offset: UInt64?
    private var counter: UInt64 = 0
    private(set) var pinned: UInt64?
    /// Marks behind which nothing has a number yet, in the order in which they were heard.
    var claims: [Claim] = []
    /// Where the subscription's numbers begin, before any was missed.
    private var start: UInt64 = 0
    /// The leader knows of a higher base: the next mark shows whether what is numbered here was counted
    /// with it.
    package private(set) var isProvisional = false
    /// The leader has been so far with this process, in whatever subscription and under whatever base: at
    /// least that many were announced.
    package private(set) var floor: UInt64 = 0

    package init() {}

    /// True once the subscription's entries have ordinals, and while no mark puts that in question.
    package var isNumbered: Bool { offset != nil && claims.isEmpty }

    /// Something was heard in this subscription that has no number yet.
    package var awaitsNumbers: Bool { !isNumbered && heard > (offset == nil ? 0 : claims[0].heard) }

    /// A subscription begins.
    package mutating func begin() {
        heard = 0
        offset = nil
        pinned = nil
        claims = []
        isProvisional = false
    }

    /// The leader's word on `base`, for a replica that was not there at a reset, or when messages were
    /// forged. A base never falls: an older word says nothing.
    package mutating func adopt(base: Int64) {
        guard base > self.base, base < Self.toldLimit else { return }
        self.base = base
        isProvisional = offset != nil
    }

    /// The leader's word on how far it is. A counter that with its base lies below was reset since.
    package mutating func learn(through ordinal: UInt64) {
        if ordinal < Self.toldLimit { floor = max(floor, ordinal) }
    }

    /// What others say is smaller: so the numbers that come of it, a floor and a base added up and all that
    /// a node announces on top, stay below `PlausibleCount.limit`. At that the marks end.
    package static let toldLimit = PlausibleCount.limit / 4

    /// What others say of a count or a base; nil for what cannot be true.
    package static func told(_ text: some StringProtocol) -> UInt64? {
        PlausibleCount.read(text).flatMap { $0 < toldLimit ? $0 : nil }
    }

    /// Larger than any counter will ever be, and small enough to add to.
    private static let largest: UInt64 = 1 << 60

    /// `count` expirations were heard. Returns the ordinal of the first, or while unnumbered its index in
    /// the subscription (from 1).
    package mutating func next(_ count: Int = 1) -> UInt64 {
        let first = heard + 1
        heard += UInt64(count)
        guard let offset, claims.isEmpty else { return first }
        last = offset + heard
        return offset + first
    }

    /// The node's counter was read without a mark: one that falls below it was reset.
    ///
    /// - Parameter floor: ``floor`` as it was known before the node was asked.
    package mutating func saw(counter now: UInt64, floor: UInt64 = 0) {
        if offset != nil, announced(now) < Int64(floor) { isProvisional = true }
        counter = max(counter, now)
    }

    func announced(_ counter: UInt64) -> Int64 { Int64(min(counter, Self.largest)) + base }

    /// The nonce arrived in the stream.
    package mutating func pin() { pinned = heard }

    /// The counter that belongs to the pinned nonce has become known. Nil if nothing is pinned.
    ///
    /// - Parameter floor: ``floor`` as it was known before the mark was made.
    package mutating func resolve(counter now: UInt64, floor: UInt64 = 0) -> Finding? {
        let before = self
        let finding = settle(counter: now, floor)
        // No node expires that many: the numbering stays as it was, and the mark is as good as not taken.
        guard now < PlausibleCount.limit, (last ?? 0) < PlausibleCount.limit else {
            self = before
            pinned = nil
            return nil
        }
        return finding
    }

    private mutating func settle(counter now: UInt64, _ floor: UInt64) -> Finding? {
        guard let pinned, now < PlausibleCount.limit else { return nil }
        self.pinned = nil
        defer { counter = now }
        guard let offset else {
            defer { markedBase = base }
            if let first = firstClaim(now, pinned, floor) { return firstMark(first.counter, first.heard, 0) }
            return firstMark(now, pinned, floor)
        }
        let known = Int64(offset + pinned)
        if isProvisional, announced(now) < Int64(floor), known < Int64(floor) {
            // Reset before this subscription, all of which lies behind what the leader had passed; or the leader
            // has heard forged messages.
            let wasReset = Int64(now) <= (Int64(floor) - base) / 2 && start < floor
            base += wasReset ? Int64(floor - start) : Int64(floor) - announced(now)
        }
        let announced = announced(now)
        let told = base - markedBase
        defer {
            isProvisional = false
            markedBase = base
        }
        if announced == known {
            // Another replica's mark came first, and explains what this one heard as well.
            guard told > 0 else { return .confirmed }
            return now < counter ? .reset : .surplus(UInt64(told))
        }
        if announced > known {
            let missed = UInt64(announced - known)
            self.offset = offset + missed
            // Of what follows some may be handled: the stretch comes behind it.
            let end = offset + (claims.first?.heard ?? heard)
            last = end + missed
            if isProvisional {
                defer { start += missed }
                return .renumbered(after: start, by: missed)
            }
            return .missed(end + 1...end + missed)
        }
        base += known - announced
        return now < counter ? .reset : .surplus(UInt64(known - announced))
    }

    private mutating func firstMark(_ now: UInt64, _ pinned: UInt64, _ floor: UInt64) -> Finding {
        var offset = Int64(now) + base - Int64(pinned)
        if let last, offset < Int64(last) {
            // Fewer than known before: reset (or forged) while no subscription stood. Those since the reset count
            // as missed.
            base += Int64(last) - offset
            if now < counter, now > pinned { base += Int64(now - pinned) }
            offset = Int64(now) + base - Int64(pinned)
        } else if announced(now) < Int64(floor) {
            // The same, known from the leader's progress alone. A counter of at most half of what the leader had
            // seen was reset, and what it shows was missed since; one just below it lacks forged messages that
            // nothing had told apart yet.
            let reached = Int64(floor) - base
            base += Int64(floor) - offset
            if Int64(now) <= reached / 2, now > pinned { base += Int64(now - pinned) }
            offset = Int64(now) + base - Int64(pinned)
        } else if offset < 0 {
            base -= offset
            offset = 0
        }
        start = UInt64(offset)
        self.offset = start
        let missed = last.flatMap { start > $0 ? $0 + 1...start : nil }
        claims.removeAll { $0.heard <= pinned }
        last = start + (claims.first?.heard ?? heard)
        return .numbered(offset: start, missed: missed)
    }
}
