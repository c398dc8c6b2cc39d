import DequeModule

/// How a partition stands with its only writer here: what was appended, and whether its server answers.
/// A pure value.
struct StreamStanding: Sendable {
    private(set) var writer: StreamAppend.Writer?
    /// Entries that this term knows to have been appended.
    private(set) var known: UInt64 = 0
    private(set) var recent: RecentAppends
    /// A promoted server lacks the last entries.
    private struct Lack {
        /// How many had been appended.
        var owed: UInt64
        /// How many it had at the least.
        var from: UInt64
        /// Those that are kept and not brought yet, in this order.
        var calls: Deque<RecentAppends.Part> = []
    }

    private var lack: Lack?
    private var failures = 0
    private var notBefore: Duration?
    /// An append is among what failed: another one must show that it is over.
    private var isRefusing = false

    /// A call of a partition that worked a moment ago; and of one that did not, at first: the rest of a
    /// batch waits for it.
    private static let patience = Duration.seconds(2)
    private static let probe = Duration.milliseconds(250)
    static let pause = Duration.seconds(1)

    init(recent: RecentAppends) { self.recent = recent }

    /// What another term knew says nothing.
    mutating func begin(_ writer: StreamAppend.Writer) {
        guard self.writer != writer else { return }
        self = StreamStanding(recent: recent)
        self.writer = writer
        recent.removeAll()
    }

    // MARK: - What was appended

    mutating func took(_ answer: StreamAppend.Answer) { known = answer.before + answer.appended }

    mutating func isIn(_ part: RecentAppends.Part, now: Duration) { recent.add(part, now: now) }

    /// Whether its server may lack something that could be brought.
    var isToBeAsked: Bool { isBehind || !recent.isEmpty }

    /// Its server has all that was appended. Only then is any of it forgotten: one that does not answer may
    /// be replaced by one without it.
    ///
    /// - Parameter asked: when it was asked.
    mutating func hasAll(asked: Duration) {
        if !isBehind { recent.forget(now: asked) }
    }

    /// Whether its server lacks what is to be brought first.
    var isBehind: Bool { lack != nil }

    /// Its server has had `count` entries, fewer than are known of.
    ///
    /// - Returns: how many it lacks; nil where it was behind already.
    @discardableResult
    mutating func isBehind(_ count: UInt64) -> UInt64? {
        let missing = known - min(known, count)
        let isNews = lack == nil
        var longer = lack ?? Lack(owed: known, from: count)
        longer.owed = max(longer.owed, known)
        longer.from = min(longer.from, count)
        // Replaced once more, it may lack what it was just brought: before what it was not.
        longer.calls.prepend(contentsOf: recent.take(last: missing))
        lack = longer
        known = count
        return isNews ? missing : nil
    }

    /// What its server is to be brought next.
    var toBring: RecentAppends.Part? { lack?.calls.first }

    /// It has been brought that. An attempt that is interrupted goes on behind it.
    mutating func brought(_ answer: StreamAppend.Answer, now: Duration) {
        guard var part = lack?.calls.popFirst() else { return }
        part.appended = answer.appended
        recent.add(part, now: now)
    }

    /// All that is kept was brought. Also what an earlier attempt had brought before it was interrupted is
    /// not lost.
    mutating func wasBrought() -> (missing: UInt64, again: UInt64)? {
        guard let lack else { return nil }
        self.lack = nil
        let missing = lack.owed - min(lack.owed, lack.from)
        let lost = lack.owed - min(lack.owed, known)
        return (missing, missing - min(missing, lost))
    }

    // MARK: - Whether it answers

    var isFailing: Bool { failures > 0 }

    /// For how long nothing is to be sent.
    func pause(now: Duration) -> Duration { max(.zero, (notBefore ?? now) - now) }

    /// How long a call may take. It grows with each that fails: a server that is slow and answers must be
    /// heard some time.
    var timeout: Duration { failures == 0 ? Self.patience : min(Self.patience, Self.probe * (1 << min(failures, 4))) }

    mutating func hasFailed(now: Duration) {
        isRefusing = true
        isSilent(now: now)
    }

    /// Nothing came of looking after it: a batch that went there now would wait as long.
    mutating func isSilent(now: Duration) {
        failures += 1
        notBefore = now + Self.pause
    }

    /// It could be looked after.
    ///
    /// - Returns: whether that ends its failing.
    mutating func hasAnswered() -> Bool { isFailing && !isRefusing ? hasRecovered() : false }

    /// An append has worked.
    ///
    /// - Returns: whether it had failed.
    mutating func hasRecovered() -> Bool {
        defer { (failures, notBefore, isRefusing) = (0, nil, false) }
        return isFailing
    }
}
