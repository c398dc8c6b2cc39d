import LeaderElection
import LeaderElectionRedis
import Logging
import RedisClient
import Timing

/// Wishes of operators, carried out.
extension RunningProcessor {
    /// An operator may have left a wish.
    func lookAtWishes(_ parts: Parts) async {
        _ = await parts.keeper.read()
        await steer(parts)
    }

    /// Does what the wishes ask for that were read last, and ends by itself what has had its time.
    func steer(_ parts: Parts) async {
        let state = parts.elector.state
        let keeper = parts.keeper
        // This runs beside itself, once a second and when asked.
        let effects = steering.inTurn {
            let effects = steering.step(
                SteeringInput(
                    id: configuration.id, isLeader: state.isLeader, token: state.token.rawValue,
                    latestToken: keeper.latestToken, alive: Set(keeper.peers.map { MemberID($0).id }),
                    pause: keeper.wish(.pause), stepDown: keeper.wish(.stepDown), isLogNearlyFull: logs.isNearlyFull,
                    now: SystemClock.read().monotonic))
            for effect in effects { carryOut(effect, state, parts) }
            return effects
        }
        for effect in effects { await tell(effect, state, parts) }
    }

    private func carryOut(_ effect: SteeringMachine.Effect, _ state: ElectorState, _ parts: Parts) {
        switch effect {
        case .pause(let wish, let time):
            parts.dispatcher.pause()
            logger.notice(
                "handing out paused",
                metadata: ["by": "\(wish.author)", "for": "\(time)", "wish": "\(wish.nonce)"])
        case .goOn(let author, let reason):
            parts.dispatcher.goOn()
            logger.notice("handing out goes on", metadata: ["pausedBy": "\(author)", "reason": "\(reason)"])
        case .stepDown(let wish):
            logger.notice(
                "stepping down on request",
                metadata: [
                    "by": "\(wish.author)", "to": "\(wish.target ?? "any other replica")",
                    "term": .stringConvertible(state.term), "wish": "\(wish.nonce)",
                ])
            parts.elector.resign()
        case .yield(let time): parts.elector.yield(for: time)
        case .answer(let nonce, .refused, let text):
            logger.notice("request refused", metadata: ["reason": "\(text)", "wish": "\(nonce)"])
        case .answer, .answerAgain, .remove: break
        }
    }

    /// What the registers are to know.
    private func tell(_ effect: SteeringMachine.Effect, _ state: ElectorState, _ parts: Parts) async {
        switch effect {
        case .answer(let nonce, let verdict, let text), .answerAgain(let nonce, let verdict, let text):
            guard steering.isUnsaid(nonce, verdict) else { return }
            let isTaken = await parts.keeper.write(
                SteeringAnswer(
                    token: state.token.rawValue, nonce: nonce, verdict: verdict, replica: configuration.id, text: text))
            if isTaken { steering.said(nonce, verdict) }
        case .remove(let wish): await parts.keeper.remove(wish)
        default: break
        }
    }
}
