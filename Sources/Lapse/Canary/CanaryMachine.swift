/// Whether one master still announces what expires: when the next canary is set there, when it is asked
/// for, and whether the last one was heard of. Pure: times are given, by the own monotonic clock.
///
/// One alone may have gone with a cut connection: the next follows at once, and only two in a row say
/// that something is wrong. What a failover or a restart took is counted neither way.
struct CanaryMachine: Sendable {
    enum Step: Sendable, Equatable {
        /// Set a key that lives for ``life``. ``armed(for:now:)`` was called.
        case arm
        /// Ask for it: that expires it if it is due.
        case ask
        case wait(until: Duration)
    }

    enum News: Sendable, Equatable {
        /// It was not heard of.
        case lost
        /// Nor was the one before it.
        case missing
        /// One was heard of after that.
        case returned
    }

    /// Short: one that expires while no replica listens counts as a loss, as any key does.
    static let life = Duration.milliseconds(100)
    /// How long after its deadline it is asked for, again and again: a server that is late by itself is no
    /// fault of the path.
    static let grace = Duration.milliseconds(400)
    /// Before the next try where one could not be set.
    private static let pause = Duration.seconds(1)

    /// From one that came back to the next.
    let interval: Duration
    /// How long after its deadline one is missing.
    let patience: Duration

    private enum State: Sendable {
        case resting(until: Duration)
        case away(from: String, since: Duration, asksAt: Duration)
    }

    private var state: State
    /// Since when none has come back.
    private var quietSince: Duration
    /// Those in a row that did not come back.
    private(set) var losses = 0

    /// - Parameter now: when the master was met.
    init(interval: Duration, patience: Duration, now: Duration) {
        self.interval = interval
        self.patience = patience
        state = .resting(until: now)
        quietSince = now
    }

    var isMissing: Bool { losses >= 2 }
    var isAway: Bool { if case .away = state { true } else { false } }

    /// How long none has come back.
    func age(_ now: Duration) -> Duration { now - quietSince }

    /// - Parameter process: the run ID of the server that is listened to; nil while none is.
    mutating func next(process: String?, now: Duration) -> (step: Step, news: News?) {
        switch state {
        case .resting(let until):
            guard now >= until else { return (.wait(until: until), nil) }
            guard let process else { return (.wait(until: now + Self.pause), nil) }
            state = .away(from: process, since: now, asksAt: now + Self.life + Self.grace)
            return (.arm, nil)
        case .away(let former, let since, let asksAt):
            guard former == process else {
                state = .resting(until: now + Self.pause)
                return (.wait(until: now + Self.pause), nil)
            }
            let end = since + Self.life + patience
            guard now < end else {
                losses += 1
                // At once the first time; a server that stays quiet is tried no more often than this.
                let rest = losses == 1 ? now : now + Self.pause
                state = .resting(until: rest)
                return (.wait(until: rest), losses == 2 ? .missing : .lost)
            }
            guard now >= asksAt else { return (.wait(until: min(asksAt, end)), nil) }
            state = .away(from: former, since: since, asksAt: now + Self.grace)
            return (.ask, nil)
        }
    }

    /// It could not be set.
    ///
    /// - Parameter isRefused: the server will say the same for a while.
    mutating func failed(isRefused: Bool, now: Duration) {
        guard isAway else { return }
        state = .resting(until: now + (isRefused ? max(interval, Self.pause) : Self.pause))
    }

    /// Its expiration was heard.
    ///
    /// - Returns: how long after its deadline, at most; nil when it is not awaited.
    mutating func heard(now: Duration) -> (lag: Duration, news: News?)? {
        guard case .away(_, let since, _) = state else { return nil }
        let wasMissing = isMissing
        losses = 0
        quietSince = now
        state = .resting(until: max(since + interval, now))
        return (max(.zero, now - since - Self.life), wasMissing ? .returned : nil)
    }
}
