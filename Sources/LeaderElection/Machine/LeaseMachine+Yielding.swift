import Timing

/// How a replica lets another one win: an operator has named the next leader.
///
/// It does not campaign for a time. A wake-up, which says that the lease is free, shortens that to a
/// head start: should the other one not be there, it leads as soon as that is over. It asks no other
/// and promises nothing: the registers decide.
extension LeaseMachine {
    /// For `time` another replica is to win; zero: not any more.
    mutating func yield(for time: Duration, _ now: ClockReading) {
        let wasYielding = isYielding(now)
        yieldsUntil = time > .zero ? now.monotonic + min(time, Self.longestYield) : nil
        guard wasYielding, yieldsUntil == nil, case .idle(let wait) = state, let until = wait.until else { return }
        // What it has waited for is over: it looks again for the leader.
        let soon = max(wait.notBefore, now.monotonic + random.duration(in: timing.followJitter))
        if soon < until { state = .idle(Wait(until: soon, notBefore: wait.notBefore)) }
    }

    func isYielding(_ now: ClockReading) -> Bool { yieldsUntil.map { now.monotonic < $0 } ?? false }

    /// The time to campaign has come.
    mutating func campaignUnlessYielding(_ wait: Wait, _ now: ClockReading) {
        guard let end = yieldsUntil, isYielding(now), !wait.hasGivenHeadStart else { return campaign(now) }
        state = .idle(Wait(until: end, notBefore: wait.notBefore))
    }

    /// A group is not without a leader for longer than this by one word.
    private static let longestYield = Duration.seconds(30)
}
