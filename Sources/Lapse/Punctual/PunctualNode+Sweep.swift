import Logging
import NIOCore
import RESP
import RedisClient
import Synchronization
import Timing

/// Sweeps bring in the deadlines that no hint told of. Where there are no hints, or none are wanted,
/// they alone make the server punctual: SCAN expires what it finds overdue.
extension PunctualNode {
    /// More questions that wait go before the next page.
    private static let patience = 2_048

    func sweep() async {
        while !isOver {
            let now = now
            let isBusy = machine.withLock { machine in
                if machine.hasMissedHints {
                    machine.hasMissedHints = false
                    pace.withLock { $0.want() }
                }
                if machine.hasFoundNoRoom {
                    machine.hasFoundNoRoom = false
                    pace.withLock { $0.wantRoom() }
                }
                return machine.questions.count > Self.patience
            }
            switch pace.withLock({ $0.next(now: now, isBusy: isBusy) }) {
            case .wait(let until):
                // Hints that are passed over meanwhile are seen to within a second.
                let wait = min(Duration.nanoseconds(until - now), .seconds(1))
                if await sweepBell.wait(upTo: wait) == .cancelled { return }
            case .scan(let cursor): await scan(cursor)
            }
        }
    }

    private func scan(_ cursor: String) async {
        var command = RESPCommand("SCAN", cursor)
        if let pattern = dependencies.pattern {
            command.append("MATCH")
            command.append(pattern)
        }
        command.append("COUNT")
        command.append("\(pace.withLock { $0.pageKeys })")
        let begun = now
        do throws(RedisError) {
            // While writes are paused, SCAN passes overdue keys over in silence: it is not to be done then.
            let reply = try await client.send([Self.write, command], to: identity).last ?? .null
            guard let page = reply.array, page.count == 2, let next = page[0].string, next.utf8.count <= 20,
                let keys = page[1].array
            else {
                if let error = reply.error, Redirection(error) == .none { refused(error) }
                return pace.withLock { $0.failed(now: now) }
            }
            let heard = now
            if dependencies.tracks { take(keys, heard) }
            let work = machine.withLock { $0.work(in: heard - begun) }
            let pass = pace.withLock { pace in
                pace.page(next: next, took: heard - begun, work: work, now: heard)
                return pace.nextPass
            }
            if let pass { machine.withLock { $0.horizon = max(60_000, 2 * pass / 1_000_000) } }
        } catch {
            let now = now
            let (failures, isGivenUp) = pace.withLock { pace in
                let isGivenUp = pace.failed(now: now, isOversized: error.kind == .protocolViolation)
                return (pace.failures, isGivenUp)
            }
            if isGivenUp, oversizedLine.withLock({ $0.happened(now: .nanoseconds(now)) }) != nil {
                dependencies.logger.warning(
                    "cannot sweep past a key: deadlines behind it that no hint told of are late",
                    metadata: [
                        "node": "\(address)", "reason": "\(error.text)",
                        "fix": "delete the key that is so long, or want fewer keys (--match)",
                    ])
            }
            // One page of many is cut with its connection, or too large.
            if failures == Self.worthAWord {
                dependencies.logger.warning(
                    "cannot sweep: deadlines that no hint told of are late",
                    metadata: ["node": "\(address)", "reason": "\(error.text)"])
            }
        }
    }

    /// How many failures in a row are logged: some seconds.
    private static let worthAWord = 5

    private func take(_ keys: [RESPValue], _ now: Int64) {
        let renewsSince = pace.withLock { $0.renewsSince }
        var isAwaited = false
        machine.withLock { machine in
            for case .bulk(let key) in keys {
                // Unsafe: the bytes are read inside the closure only.
                unsafe key.withUnsafeReadableBytes { bytes in
                    let span = unsafe RawSpan(_unsafeBytes: bytes)
                    guard filter.wants(span, database: database) else { return }
                    if machine.met(span, renewsSince: renewsSince, now: now) { isAwaited = true }
                }
            }
        }
        if isAwaited { askBell.ring() }
    }
}
