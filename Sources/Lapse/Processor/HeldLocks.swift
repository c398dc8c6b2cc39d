/// Which of the own locks are held, and what is known of each that is held no more. A pure value.
package struct HeldLocks: Sendable {
    /// A register has granted a vote, or renewed it.
    package struct Grant: Sendable, Equatable {
        /// The claim's.
        package var value: String
        package var ttl: Duration
        /// When the register was asked, by the monotonic clock.
        package var askedAt: Duration
        /// See ``LapsedLocks/announced(_:)``; before the register was asked.
        package var announced: [String: UInt64]

        package init(value: String, ttl: Duration, askedAt: Duration, announced: [String: UInt64]) {
            self.value = value
            self.ttl = ttl
            self.askedAt = askedAt
            self.announced = announced
        }
    }

    /// A lock that is held no more, and seems to have run out unheard.
    package struct Lapse: Sendable, Equatable {
        package var grant: Grant
        /// What was known of each process when it was gone.
        package var through: [String: UInt64]
    }

    private var grants: [String: Grant] = [:]
    private var lapses: [String: Lapse] = [:]
    /// When the end of each was last heard.
    private var heard: [String: Duration] = [:]

    package init() {}

    package mutating func granted(_ key: String, _ grant: Grant) {
        if let last = grants[key], last.value == grant.value, last.askedAt > grant.askedAt { return }
        grants[key] = grant
    }

    /// A term begins with this claim. It learns of the locks of earlier ones by what those left beside
    /// them.
    package mutating func begins(_ value: String) {
        grants = grants.filter { $0.value.value == value }
        lapses = lapses.filter { $0.value.grant.value == value }
    }

    /// The vote is about to be given back: it does not run out.
    package mutating func givesBack(_ key: String, _ value: String) {
        if grants[key]?.value == value { grants[key] = nil }
    }

    /// - Parameter isOwn: only those are noted; any client may announce others.
    package mutating func heard(_ key: String, isOwn: Bool, now: Duration) {
        guard isOwn else { return }
        heard[key] = now
        lapses[key] = nil
    }

    /// The register holds this value no more. One that is gone before its time was deleted, or forgotten,
    /// and its node has counted no expiration.
    package mutating func gone(_ key: String, _ value: String, through: [String: UInt64], now: Duration) {
        guard let grant = grants[key], grant.value == value else { return }
        grants[key] = nil
        let wasHeard = heard[key].map { $0 >= grant.askedAt } ?? false
        guard !wasHeard, now - grant.askedAt >= grant.ttl else { return }
        lapses[key] = Lapse(grant: grant, through: through)
    }

    /// Those that have run out, or may have: a register that was out of reach has yet to tell.
    package func suspects(now: Duration) -> Set<String> {
        Set(lapses.keys).union(grants.filter { now - $0.value.askedAt >= $0.value.ttl }.keys)
    }

    /// A register answers for a suspect: this is what it holds, and its process. Returns when the lock ran
    /// out, once. Only the process that granted it can have counted its end.
    package mutating func looked(
        _ key: String, holder: String, runID: String, through: [String: UInt64], now: Duration
    ) -> Lapse? {
        if let grant = grants[key], grant.value != holder { gone(key, grant.value, through: through, now: now) }
        guard let lapse = lapses[key], lapse.grant.announced[runID] != nil else { return nil }
        lapses[key] = nil
        return lapse
    }
}
