import Timing

/// What a replica knows at one reading of the registers.
package struct SteeringInput: Sendable {
    package var id: String
    package var isLeader: Bool
    /// Of this replica's own last term.
    package var token: UInt64
    /// The largest that any register has seen.
    package var latestToken: UInt64
    /// The replicas alive, by their ids, this one included.
    package var alive: Set<String>
    package var pause: StandingWish?
    package var stepDown: StandingWish?
    /// A log is nearly full: what comes next would push out what waits.
    package var isLogNearlyFull: Bool
    /// By the monotonic clock.
    package var now: Duration

    package init(
        id: String, isLeader: Bool, token: UInt64, latestToken: UInt64, alive: Set<String>,
        pause: StandingWish? = nil, stepDown: StandingWish? = nil, isLogNearlyFull: Bool = false, now: Duration
    ) {
        (self.id, self.isLeader, self.token, self.latestToken) = (id, isLeader, token, latestToken)
        (self.alive, self.pause, self.stepDown) = (alive, pause, stepDown)
        (self.isLogNearlyFull, self.now) = (isLogNearlyFull, now)
    }
}

/// What a replica does about the wishes that stand: a pure value, asked at each reading of the
/// registers.
///
/// Every replica pauses, not only the leader, so that the pause holds on through a change of leader. A
/// step-down names the term that is to end: it moves one leader once, however often it is read.
package struct SteeringMachine: Sendable {
    package enum Effect: Sendable, Equatable {
        /// Hand out nothing.
        case pause(Wish, for: Duration)
        /// Hand out again.
        case goOn(author: String, reason: String)
        /// End this term gracefully.
        case stepDown(Wish)
        /// Let another win for this time; zero: not any more.
        case yield(Duration)
        case answer(nonce: String, SteeringAnswer.Verdict, String)
        /// The same once more: too few registers have taken it.
        case answerAgain(nonce: String, SteeringAnswer.Verdict, String)
        /// It is fulfilled, or never will be.
        case remove(Wish)
    }

    /// A pause under way.
    package struct Pause: Sendable, Equatable {
        package var author: String
        package var nonce: String
        /// By the monotonic clock.
        package var until: Duration
    }

    package private(set) var pause: Pause?
    private let longestPause: Duration
    /// Pauses that ended before their time, and step-downs that were obeyed or refused.
    private var done: [String] = []
    private var yieldsFor: String?
    /// The pause that this replica has answered for, under which token.
    private var answered: (nonce: String, token: UInt64)?
    /// Answers that no majority of the registers has taken yet, the newest of each wish.
    private var unsaid: [Unsaid] = []

    private struct Unsaid {
        var nonce: String
        var verdict: SteeringAnswer.Verdict
        var text: String
        var token: UInt64
        /// By the monotonic clock.
        var due: Duration
    }

    /// More than a write of progress may take: no two writes of one answer run beside each other.
    private static let patience = Duration.milliseconds(750)

    /// - Parameter longestPause: the age of the logs; a pause ends then, whatever was wished.
    package init(longestPause: Duration) { self.longestPause = longestPause }

    package mutating func step(_ input: SteeringInput) -> [Effect] {
        let effects = lookAtPause(input) + lookAtStepDown(input)
        // Another leader answers for itself, under its own token.
        unsaid.removeAll { !input.isLeader || $0.token != input.token }
        for case .answer(let nonce, let verdict, let text) in effects {
            unsaid.removeAll { $0.nonce == nonce }
            unsaid.append(
                Unsaid(nonce: nonce, verdict: verdict, text: text, token: input.token, due: input.now + Self.patience))
            // Their operators wait no longer than for the newest few.
            if unsaid.count > 16 { unsaid.removeFirst() }
        }
        return effects + again(input.now)
    }

    private mutating func again(_ now: Duration) -> [Effect] {
        unsaid.indices.filter { unsaid[$0].due <= now }.map { index in
            unsaid[index].due = now + Self.patience
            return .answerAgain(nonce: unsaid[index].nonce, unsaid[index].verdict, unsaid[index].text)
        }
    }

    /// Whether this answer is still to be written: a newer one to the same wish takes its place.
    package func isUnsaid(_ nonce: String, _ verdict: SteeringAnswer.Verdict) -> Bool {
        unsaid.contains { $0.nonce == nonce && $0.verdict == verdict }
    }

    /// A majority of the registers has taken the answer.
    package mutating func said(_ nonce: String, _ verdict: SteeringAnswer.Verdict) {
        unsaid.removeAll { $0.nonce == nonce && $0.verdict == verdict }
    }

    private mutating func close(_ nonce: String) {
        done.append(nonce)
        // The newest few stand in the registers, if any.
        if done.count > 16 { done.removeFirst() }
    }

    // MARK: - Pause

    private mutating func lookAtPause(_ input: SteeringInput) -> [Effect] {
        guard let standing = input.pause, !done.contains(standing.wish.nonce) else {
            return end(input, input.pause == nil ? "asked to go on, or its time is over" : "ended before")
        }
        let wish = standing.wish
        let left = min(standing.left, longestPause - standing.age)
        guard left > .zero else { return finish(wish, input, "it lasted as long as the logs are kept") }
        guard !input.isLogNearlyFull else { return finish(wish, input, "a log is nearly full") }
        var effects: [Effect] = []
        if pause?.nonce != wish.nonce {
            pause = Pause(author: wish.author, nonce: wish.nonce, until: input.now + left)
            effects.append(.pause(wish, for: left))
        } else if let current = pause {
            pause?.until = min(current.until, input.now + left)
        }
        if let current = pause, input.now >= current.until { return finish(wish, input, "its time is over") }
        if input.isLeader, answered?.nonce != wish.nonce || answered?.token != input.token {
            answered = (wish.nonce, input.token)
            effects.append(.answer(nonce: wish.nonce, .paused, "\(Int(left / .seconds(1)))"))
        }
        return effects
    }

    private mutating func finish(_ wish: Wish, _ input: SteeringInput, _ reason: String) -> [Effect] {
        close(wish.nonce)
        let ended = end(input, reason)
        guard input.isLeader else { return ended }
        // One that never began is answered, too.
        return ended + (ended.isEmpty ? [.answer(nonce: wish.nonce, .resumed, reason)] : []) + [.remove(wish)]
    }

    private mutating func end(_ input: SteeringInput, _ reason: String) -> [Effect] {
        guard let last = pause else { return [] }
        pause = nil
        let said: [Effect] = input.isLeader ? [.answer(nonce: last.nonce, .resumed, reason)] : []
        return [.goOn(author: last.author, reason: reason)] + said
    }

    // MARK: - Step-down

    private mutating func lookAtStepDown(_ input: SteeringInput) -> [Effect] {
        guard let standing = input.stepDown else { return yieldNoMore() }
        let wish = standing.wish
        let isDone = done.contains(wish.nonce)
        if wish.token < max(input.latestToken, input.isLeader ? input.token : 0) {
            guard input.isLeader, !isDone else { return yieldNoMore() }
            // A later term than the one that was to end.
            close(wish.nonce)
            return yieldNoMore() + [.answer(nonce: wish.nonce, .done, ""), .remove(wish)]
        }
        guard input.isLeader else { return letWin(wish, standing.left, input) }
        guard wish.token == input.token, !isDone else { return [] }
        close(wish.nonce)
        if let reason = objection(wish, input) {
            return [.answer(nonce: wish.nonce, .refused, reason), .remove(wish)]
        }
        return [.answer(nonce: wish.nonce, .accepted, "")] + yield(to: wish, standing.left) + [.stepDown(wish)]
    }

    private func objection(_ wish: Wish, _ input: SteeringInput) -> String? {
        guard let target = wish.target else {
            return input.alive.subtracting([input.id]).isEmpty ? "no other replica is alive" : nil
        }
        if target == input.id { return "it leads already" }
        return input.alive.contains(target) ? nil : "no replica of that id is alive"
    }

    /// A follower that another one is to come before, also the one that has just stepped down.
    private mutating func letWin(_ wish: Wish, _ left: Duration, _ input: SteeringInput) -> [Effect] {
        guard let target = wish.target, target != input.id, input.alive.contains(target) else { return yieldNoMore() }
        guard yieldsFor != wish.nonce else { return [] }
        return yield(to: wish, left)
    }

    private mutating func yield(to wish: Wish, _ left: Duration) -> [Effect] {
        guard wish.target != nil else { return [] }
        yieldsFor = wish.nonce
        return [.yield(left)]
    }

    private mutating func yieldNoMore() -> [Effect] {
        guard yieldsFor != nil else { return [] }
        yieldsFor = nil
        return [.yield(.zero)]
    }
}
