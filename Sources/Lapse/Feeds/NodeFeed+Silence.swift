import NIOCore
import RedisClient
import Timing

/// What follows from a silence: whether the node kept its role.
extension NodeFeed {
    /// After a silence: the node's events count only from when it and a majority agree about its role.
    /// False if they do not yet.
    func settle(_ log: NodeLog, attempts: Int) async -> Bool {
        guard let silence = log.openSilence else { return true }
        // A look may fail after seconds, one for each kind of server that does not answer; and nothing else
        // is done for this feed meanwhile.
        let deadline = monotonic + .milliseconds(200) * attempts
        for attempt in 0..<attempts where !isOver && (attempt == 0 || monotonic < deadline) {
            if let poll = await dependencies.watch.refresh(doubting: address), poll.settles(address) {
                log.decide(
                    look: poll.number, about: silence, isDeposed: poll.topology.claim(of: address).isEmpty)
                dependencies.settled(poll)
                if log.openSilence != silence { return true }
                continue
            }
            let pause = Duration.milliseconds(min(20 << min(attempt, 4), 200))
            if await Doorbell(on: bell.loop).wait(upTo: pause) == .cancelled { break }
        }
        return false
    }

    /// The process cannot be asked any more; what others say of it decides.
    func abandon(_ log: NodeLog) {
        guard let silence = log.openSilence else { return }
        log.abandonDoubt(about: silence)
        dependencies.watch.refreshSoon(doubting: address)
    }
}
