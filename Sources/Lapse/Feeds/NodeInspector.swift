import Logging
import RESP
import RedisClient
import Synchronization

/// Looks every second whether a node answers, whether it announces expirations at all, and how many it
/// has counted.
final class NodeInspector: Sendable {
    struct Finding: Sendable {
        var answered = false
        /// The address leads to another process than the one listened to.
        var isOtherServer = false
        /// Expirations are announced again, after they were not.
        var mended = false
        /// `notify-keyspace-events`; nil while unknown.
        var notifications: String?
        /// The node's count of expirations; nil while unknown.
        var counter: UInt64?
    }

    private struct State {
        var flags: String?
        /// When CONFIG was last refused: it is asked for again after a minute.
        var refusedAt: ContinuousClock.Instant?
    }

    private let address: NodeAddress
    private let command: NodeClient
    private let policy: Notifications.Policy
    private let wantsHints: Bool
    /// How an operator's redis-cli gets in.
    private let login: RedisLogin
    /// The control channel of the group.
    private let channel: String
    private let logger: Logger
    private let implausible: ImplausibleInput
    private let state = Mutex(State())
    private static let count = [RESPCommand("INFO", "stats")]
    private static let countAndFlags = count + [RESPCommand("CONFIG", "GET", "notify-keyspace-events")]

    init(
        address: NodeAddress, command: NodeClient, policy: Notifications.Policy, wantsHints: Bool = false,
        login: RedisLogin = RedisLogin(), channel: String, logger: Logger
    ) {
        self.address = address
        self.command = command
        self.policy = policy
        self.wantsHints = wantsHints
        self.login = login
        self.channel = channel
        self.logger = logger
        implausible = ImplausibleInput(logger)
    }

    /// - Parameter runID: of the process that is listened to.
    func look(at runID: String) async -> Finding {
        var finding = Finding()
        let now = ContinuousClock.now
        let asksConfig = policy != .off && state.withLock { $0.refusedAt.map { now >= $0 + .seconds(60) } ?? true }
        let commands = asksConfig ? Self.countAndFlags : Self.count
        let replies: [RESPValue]
        do throws(RedisError) { replies = try await command.send(commands, to: .process(runID)) } catch {
            finding.isOtherServer = error.kind == .otherServer
            return finding
        }
        finding.answered = true
        finding.counter = infoCount("expired_keys", in: replies[0])
        if finding.counter == nil, let text = infoField("expired_keys", in: replies[0]) {
            implausible.tell("expired_keys", is: text, at: "\(address)", fix: "CONFIG RESETSTAT on the node")
        }
        guard asksConfig, replies.count > 1 else { return finding }
        guard let flags = replies[1].array?.last?.string else {
            // What is not known is not missing.
            tellRefused(replies[1].error)
            return finding
        }
        let (before, wasRefused) = state.withLock { state in
            defer { (state.flags, state.refusedAt) = (flags, nil) }
            return (state.flags, state.refusedAt != nil)
        }
        if wasRefused { logger.notice("notifications known again", metadata: ["node": "\(address)"]) }
        finding.notifications = flags
        if Notifications.suffice(flags) {
            finding.mended = before.map { !Notifications.suffice($0) } ?? false
            if finding.mended {
                logger.notice("notifications in order again", metadata: ["node": "\(address)", "has": "\(flags)"])
            }
            if !Notifications.suffice(flags, withHints: wantsHints) {
                if before != flags, policy != .set { tellUnhinted(flags) }
                if policy == .set { await setHints(flags, of: runID) }
            }
        } else {
            if before != flags { tellMissing(flags) }
            if policy == .set { await set(flags, of: runID) }
        }
        return finding
    }

    /// Peers are told first, on the node itself: a peer whose looks lie before and after sees nothing else
    /// of it, and would take what was counted meanwhile for what no node announces.
    private func set(_ flags: String, of runID: String) async {
        let merged = Notifications.merged(flags, withHints: wantsHints)
        do throws(RedisError) {
            let replies = try await command.send(
                [
                    RESPCommand("PUBLISH", channel, GroupMessage.silenced(runID).text),
                    RESPCommand("CONFIG", "SET", "notify-keyspace-events", merged),
                ], to: .process(runID))
            if let refusal = replies.last?.error { throw RedisError(refusal, node: address) }
            logger.notice("notifications set", metadata: ["node": "\(address)", "value": "\(merged)"])
        } catch {
            logger.error("notifications not set", metadata: ["node": "\(address)", "error": "\(error.text)"])
        }
    }

    /// Expirations are announced all the while: peers need not know.
    private func setHints(_ flags: String, of runID: String) async {
        let merged = Notifications.merged(flags, withHints: true)
        do throws(RedisError) {
            let replies = try await command.send(
                [RESPCommand("CONFIG", "SET", "notify-keyspace-events", merged)], to: .process(runID))
            if let refusal = replies.last?.error { throw RedisError(refusal, node: address) }
            logger.notice("notifications set", metadata: ["node": "\(address)", "value": "\(merged)"])
        } catch {
            logger.error("notifications not set", metadata: ["node": "\(address)", "error": "\(error.text)"])
        }
    }

    /// What adds the missing flags, to paste into a shell.
    private func commandLine(_ flags: String, withHints: Bool) -> String {
        let words = ["CONFIG", "SET", "notify-keyspace-events", Notifications.merged(flags, withHints: withHints)]
        return RedisCommandLine(address, login, words).text
    }

    /// Expirations are announced, but not that a TTL was set.
    private func tellUnhinted(_ flags: String) {
        logger.warning(
            "notifications missing",
            metadata: [
                "node": "\(address)", "has": "\"\(flags)\"", "needs": "Exg",
                "effect": "--punctual track sweeps here meanwhile",
                "command": "\(commandLine(flags, withHints: true))",
            ])
    }

    /// CONFIG is forbidden, renamed away or answered with nothing, as managed services do, each in its own
    /// words. Said once, and again each minute.
    private func tellRefused(_ error: RESPError?) {
        // Only what passes by itself is tried again at once.
        if let error, Redirection(error) == .retry { return }
        state.withLock { $0.refusedAt = .now }
        logger.warning(
            "notifications unknown",
            metadata: [
                "node": "\(address)",
                "error": "\(error?.text ?? "CONFIG GET notify-keyspace-events was answered with nothing")",
                "fix": "set notify-keyspace-events to \(needs) on the server, then run with --notifications off",
            ])
    }

    private var needs: String { wantsHints ? "Exg" : "Ex" }

    private func tellMissing(_ flags: String) {
        logger.error(
            "notifications missing",
            metadata: [
                "node": "\(address)", "has": "\"\(flags)\"", "needs": "\(needs)",
                "command": "\(commandLine(flags, withHints: wantsHints))",
            ])
    }
}
