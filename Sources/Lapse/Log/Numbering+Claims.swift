import RESP

/// Marks that any replica took, as they are heard: see ``HeardMark``.
extension Numbering {
    /// A mark with its counter. Any client may publish one: it counts once an answer of the node bears it
    /// out, and until then what follows it has no number.
    struct Claim: Sendable, Equatable {
        /// Heard in this subscription before it.
        let heard: UInt64
        let counter: UInt64
    }

    /// What answers of the node have made of marks.
    struct Settlement: Sendable, Equatable {
        /// Entries of the subscription get their ordinals: entry i is number `offset + i`.
        struct Part: Sendable, Equatable {
            /// The last of them, as an index in the subscription.
            let through: UInt64
            let offset: UInt64
        }

        /// In order.
        var parts: [Part] = []
        /// Counted and not announced.
        var gaps: [ClosedRange<UInt64>] = []
    }

    /// Marks are rare: more than this are forged.
    private static let claimLimit = 16
    /// How much a mark may claim that no answer bears out.
    private static let believedLimit: Int64 = 1 << 16

    /// A mark was heard, of this replica or another one.
    ///
    /// - Returns: whether what follows waits for the node's word.
    mutating func hear(counter now: UInt64) -> Bool {
        guard now < PlausibleCount.limit, !isProvisional, claims.count < Self.claimLimit else { return false }
        if let offset {
            // It shows nothing new, or falls short: for what was reset or forged the numbers need not change.
            guard announced(now) > Int64(offset + heard) else { return false }
            if let last = claims.last, Int64(last.counter) - Int64(last.heard) == Int64(now) - Int64(heard) {
                return false
            }
        }
        claims.append(Claim(heard: heard, counter: now))
        return offset != nil
    }

    /// How much of the subscription is heard, for ``settle(counter:heard:)``; nil while no mark waits.
    var openClaims: UInt64? { offset == nil || claims.isEmpty ? nil : heard }

    /// The node was asked for its counter when so much was heard: marks that this bears out are taken as
    /// true, the others as forged.
    mutating func settle(counter now: UInt64, heard asked: UInt64) -> Settlement {
        settle(upTo: asked) { claim, _ in Self.isBorneOut(claim, by: now, asked) }
    }

    /// The node does not answer: what waits for its word gets the numbers that it would have without it.
    mutating func abandonClaims() -> Settlement { settle(upTo: .max) { _, _ in false } }

    /// The subscription has ended, and the node is not asked: a mark is seldom forged, and a peer may have
    /// heard what follows under the numbers that this gives.
    mutating func believeClaims() -> Settlement { settle(upTo: .max) { $1 <= Self.believedLimit } }

    private mutating func settle(upTo asked: UInt64, _ holds: (Claim, _ missed: Int64) -> Bool) -> Settlement {
        var settlement = Settlement()
        guard var offset else { return settlement }
        while let claim = claims.first, claim.heard <= asked {
            claims.removeFirst()
            let place = offset + claim.heard
            let missed = announced(claim.counter) - Int64(place)
            // While the leader knows of a higher base, the next mark says what that explains.
            if missed > 0, !isProvisional, Int64(place) + missed < PlausibleCount.limit, holds(claim, missed) {
                settlement.gaps.append(place + 1...place + UInt64(missed))
                offset += UInt64(missed)
            }
            settlement.parts.append(Settlement.Part(through: claims.first?.heard ?? .max, offset: offset))
        }
        self.offset = offset
        if !settlement.parts.isEmpty { last = offset + (claims.first?.heard ?? heard) }
        return settlement
    }

    /// What the first mark has numbered: up to the first one behind it.
    func firstPart(_ offset: UInt64) -> Settlement.Part {
        Settlement.Part(through: claims.first?.heard ?? .max, offset: offset)
    }

    /// All that was heard behind it was counted, too.
    private static func isBorneOut(_ claim: Claim, by counter: UInt64, _ heard: UInt64) -> Bool {
        counter >= claim.counter && counter - claim.counter >= heard - claim.heard
    }

    /// The first mark of another replica that this one's own bears out: from there on the others count what
    /// was not announced as this one does.
    ///
    /// - Parameter floor: known before this replica's own mark was made, and perhaps behind an earlier one.
    func firstClaim(_ now: UInt64, _ pinned: UInt64, _ floor: UInt64) -> Claim? {
        guard claims.contains(Claim(heard: pinned, counter: now)) else { return nil }
        return claims.first { claim in
            let start = announced(claim.counter) - Int64(claim.heard)
            return claim.heard < pinned && Self.isBorneOut(claim, by: now, pinned) && start >= Int64(last ?? 0)
                && announced(claim.counter) >= Int64(floor)
        }
    }
}
