import Console
import Foundation
import Glibc
import Synchronization

/// What is seen of the demonstration: lines that the replicas print, and what is told about them.
final class DemoStage: Sendable {
    /// One line of `--handler ndjson`, as far as it matters here.
    struct Handled: Decodable, Sendable {
        var key: String
        var node: String
        var origin: String
        var replica: String
        var term: Int
    }

    /// One line of `--log-format json`, as far as it matters here.
    private struct Logged: Decodable {
        var message: String
        var node: String?
        var term: UInt64?
        var token: UInt64?
    }

    private struct State {
        var leader: String?
        var subscriptions: [String: Set<String>] = [:]
        var counts: [String: Int] = [:]
        var handled = 0
        var told = 0
        var last: Handled?
        var killed: (id: String, at: ContinuousClock.Instant)?
        var pause: Duration?
        var takenOver = 0
        var isUnread = false
    }

    private let began = ContinuousClock.now
    private let state = Mutex(State())

    /// The replica that leads, as far as is known.
    var leader: String? { state.withLock { $0.leader } }

    /// The nodes that a replica is subscribed to.
    func heard(_ replica: String) -> Set<String> { state.withLock { $0.subscriptions[replica] ?? [] } }

    func hasHandled(_ keys: some Collection<String>) -> Bool {
        state.withLock { state in keys.allSatisfy { state.counts[$0] != nil } }
    }

    // MARK: - What the replicas print

    func handled(_ line: Data) {
        guard let one = try? JSONDecoder().decode(Handled.self, from: line) else { return }
        let pause = state.withLock { state -> Duration? in
            state.counts[one.key, default: 0] += 1
            state.handled += 1
            state.last = one
            if one.origin == "takeover" { state.takenOver += 1 }
            guard let killed = state.killed, state.pause == nil, one.replica != killed.id else { return nil }
            state.pause = .now - killed.at
            return state.pause
        }
        if let pause { say("\(one.replica) handles again, \(Self.seconds(pause)) after the kill") }
    }

    func logged(_ line: Data, by replica: String) {
        guard let line = try? JSONDecoder().decode(Logged.self, from: line) else { return }
        switch line.message {
        case "subscribed":
            state.withLock { _ = $0.subscriptions[replica, default: []].insert(line.node ?? "") }
        case "became leader":
            state.withLock { $0.leader = replica }
            say("\(replica) leads: term \(line.term ?? 0), fencing token \(line.token ?? 0)")
        default: break
        }
    }

    func leaderKilled(_ id: String) {
        say("SIGKILL to \(id), the leader")
        state.withLock { state in
            state.killed = (id, .now)
            state.leader = nil
        }
    }

    // MARK: - What is told

    /// A line about what was handled since the last one, if anything was.
    func tell() {
        let text = state.withLock { state -> String? in
            guard let last = state.last, state.handled > state.told else { return nil }
            defer { state.told = state.handled }
            let more = state.handled - state.told
            return "\(last.replica) handled \(more) more, \(state.handled) in all; last \(last.key) "
                + "on \(last.node), \(last.origin)"
        }
        if let text { say(text) }
    }

    func say(_ text: String) {
        let seconds = Self.seconds(.now - began)
        print([String(repeating: " ", count: max(0, 6 - seconds.count)) + seconds + "  " + text])
    }

    func print(_ lines: [String]) {
        // One write, so that lines said by different threads stay whole.
        guard !StandardStream.output.write(lines.joined(separator: "\n")) else { return }
        // The reader has gone: the same as an interrupt, and one only, or the end would not be awaited.
        let isFirst = state.withLock { state in
            defer { state.isUnread = true }
            return !state.isUnread
        }
        if isFirst { _ = kill(getpid(), SIGINT) }
    }

    /// Settles: every announced key must have been handled.
    func account(armed: Int, announced: [String: Int]) -> DemoAccount {
        state.withLock { state in
            DemoAccount(
                armed: armed, announced: announced.count, handled: state.counts.count,
                lost: announced.keys.filter { state.counts[$0] == nil }.sorted(),
                twice: state.counts.values.count { $0 > 1 }, takenOver: state.takenOver, pause: state.pause)
        }
    }

    private static func seconds(_ duration: Duration) -> String {
        let tenths = duration.components.seconds * 10 + duration.components.attoseconds / 100_000_000_000_000_000
        return "\(tenths / 10).\(tenths % 10) s"
    }
}
