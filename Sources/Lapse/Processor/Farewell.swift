import LeaderElection
import Logging
import NIOCore
import RedisClient
import Timing

/// The last seconds of a replica that leaves: it goes on hearing and answering until its successor has
/// all that it has, for its log may hold what no other replica heard.
///
/// It ends when its log holds nothing unfinished, no other replica lives, the leader says that its own
/// logs are whole, or all leave at once and it is its turn (``LeaveReason``); and after a limit in any
/// case.
struct Farewell: Sendable {
    let id: String
    let keeper: ProgressKeeper
    let logs: LogSet
    /// The token of its own last term; 0 if it never led.
    let token: UInt64
    let loop: any EventLoop
    let logger: Logger
    /// For a leader: as long as a lease and a take-over may last.
    var limit: Duration = .seconds(10)
    /// A follower has little that the leader has not.
    var limitOfFollower: Duration = .seconds(2)

    /// Returns when no other replica needs this one any more.
    func serve() async {
        let bell = Doorbell(on: loop)
        let began = SystemClock.read().monotonic
        await keeper.sayThatItLeaves()
        while SystemClock.read().monotonic < began + (token > 0 ? limit : limitOfFollower) {
            if let reason = await reason() {
                let took = (SystemClock.read().monotonic - began) / .milliseconds(1)
                return logger.info(
                    "not needed any more",
                    metadata: ["reason": "\(reason.rawValue)", "tookMs": .stringConvertible(Int(took))])
            }
            if await bell.wait(upTo: .milliseconds(100)) == .cancelled { return }
        }
        logger.warning(
            "left before the successor was whole",
            metadata: ["kept": .stringConvertible(logs.all.reduce(0) { $0 + $1.counts.entries })])
    }

    private func reason() async -> LeaveReason? {
        // What cannot be read says nothing: then it stays.
        guard let progress = await keeper.read()?.entries else { return nil }
        return LeaveReason(
            id: id, token: token, logs: logs, progress: progress, peers: keeper.peers, leaving: keeper.leaving,
            wholeness: keeper.latestWholeness)
    }
}
