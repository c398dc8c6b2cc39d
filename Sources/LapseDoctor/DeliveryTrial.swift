import Lapse
import LeaderElection
import LeaderElectionRedis
import NIOCore
import RESP
import RedisClient
import Synchronization
import Timing

/// Does on one master what `lapse run` does there, and lets a key of its own expire, which must be
/// heard.
///
/// Rights can be asked for. Whether a server can do what it permits, only the deed shows. What it
/// writes is gone at the end, or expires within a second.
struct DeliveryTrial {
    let client: NodeClient
    let name: String
    /// A hash tag whose slot this server owns.
    let tag: String
    /// How long something may take to be heard.
    var patience: Duration = .seconds(3)

    /// What failed, in the server's words.
    func failures() async -> [TrialFailure] {
        let probe = "{\(tag)}:\(name):probe:\(UInt64.random(in: .min ... .max))"
        let nonce = "probe:\(UInt64.random(in: .min ... .max))"
        let ear = TrialEar(mark: nonce, key: probe, bell: Doorbell(on: client.loop))
        let subscription: Subscription
        do throws(RedisError) {
            subscription = try await Subscription.open(
                to: client.address, settings: client.settings,
                channels: [EventChannel.name(0), ElectionKeys.channel(name)], on: client.loop
            ) { _ in .success(ear) }
        } catch {
            let mayBeGone = error.kind == .unreachable || error.kind == .closed || error.kind == .timeout
            if mayBeGone, await !answers() { return [] }
            return [TrialFailure(.subscription, error.text)]
        }
        let found = await [mark(nonce, subscription.runID, ear), scripts(probe), expiration(probe, ear)]
        let hasEnded = !subscription.isActive
        subscription.close()
        if hasEnded, found[0] != nil || found[2] != nil, await answers() {
            // What was not heard then is no fault of marks or events.
            let reason = TrialFailure(.subscription, "the connection ended soon after it was opened")
            return [reason] + [found[1]].compactMap(\.self)
        }
        return found.compactMap(\.self)
    }

    /// A server that went away is no finding; one that answers here is one that run would not hear.
    private func answers() async -> Bool { (try? await client.send(RESPCommand("PING"))) != nil }

    private func mark(_ nonce: String, _ runID: String, _ ear: TrialEar) async -> TrialFailure? {
        do throws(RedisError) {
            _ = try await Mark.take(nonce: nonce, channel: ElectionKeys.channel(name), on: client, of: runID)
            return await ear.hears({ $0.mark }, within: patience)
                ? nil : TrialFailure(.mark, "what was published on the control channel was not heard")
        } catch {
            return TrialFailure(.mark, error.text)
        }
    }

    private func scripts(_ probe: String) async -> TrialFailure? {
        do throws(RedisError) {
            let keys = ["hash", "set", "list", "string"].map { "\(probe):\($0)" }
            let reply = try await SingleServer(client).run(
                Self.script, keys: keys, arguments: [], timeout: client.settings.commandTimeout)
            let errors = (reply.array ?? []).compactMap(\.string)
            return errors.first.map { TrialFailure(.scripts, $0) }
        } catch {
            return TrialFailure(.scripts, error.text)
        }
    }

    private func expiration(_ probe: String, _ ear: TrialEar) async -> TrialFailure? {
        do throws(RedisError) {
            _ = try await client.send(RESPCommand("SET", probe, "", "PX", "1"))
            let deadline = ContinuousClock.now + patience
            // To ask for its time expires a key that is due, so that it is announced at once.
            while ContinuousClock.now < deadline {
                _ = try await client.send(RESPCommand("PTTL", probe))
                if await ear.hears({ $0.key }, within: .milliseconds(50)) { return nil }
            }
            return TrialFailure(.expiration, "a key expired, and nothing was heard of it")
        } catch {
            return TrialFailure(.expiration, error.text)
        }
    }

    /// Every command of the scripts of lease, progress and repair. KEYS: a hash, a set, a list, a string.
    private static let script = Script(
        """
        local errors = {}
        local function try(...)
          local reply = redis.pcall(...)
          if type(reply) == 'table' and reply.err then errors[#errors + 1] = reply.err end
        end
        try('SET', KEYS[4], 'v', 'NX', 'PX', '500')
        try('GET', KEYS[4])
        try('PTTL', KEYS[4])
        try('PEXPIRE', KEYS[4], '500')
        try('HSET', KEYS[1], 'f', 'v')
        try('HGET', KEYS[1], 'f')
        try('HGETALL', KEYS[1])
        try('HDEL', KEYS[1], 'f')
        try('ZADD', KEYS[2], '1', 'm')
        try('ZRANGE', KEYS[2], '0', '-1', 'WITHSCORES')
        try('ZREMRANGEBYSCORE', KEYS[2], '-inf', '1')
        try('RPUSH', KEYS[3], 'v')
        try('LPOP', KEYS[3])
        try('TIME')
        try('INFO', 'server')
        try('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
        return errors
        """)
}

/// Something that `lapse run` does and this server does not take part in.
package struct TrialFailure: Sendable, Equatable {
    package enum Deed: String, Sendable {
        case subscription, mark, scripts, expiration
    }

    package var deed: Deed
    /// The server's own words, or what did not come.
    package var text: String

    /// A script met a right that is missing.
    var isRefusal: Bool { deed == .scripts && MissingRight.isNamed(in: text) }

    package init(_ deed: Deed, _ text: String) {
        self.deed = deed
        self.text = text
    }
}

/// Waits for the mark and the key of a trial.
private final class TrialEar: PushReceiver {
    struct Heard: Sendable {
        var mark = false
        var key = false
    }

    /// The nonce of the mark.
    private let mark: String
    private let key: [UInt8]
    private let bell: Doorbell
    private let heard = Mutex(Heard())

    init(mark: String, key: String, bell: Doorbell) {
        self.mark = mark
        self.key = Array(key.utf8)
        self.bell = bell
    }

    func hears(_ what: (Heard) -> Bool, within limit: Duration) async -> Bool {
        let deadline = ContinuousClock.now + limit
        while !heard.withLock({ what($0) }) {
            let left = deadline - .now
            guard left > .zero, await bell.wait(upTo: left) != .cancelled else { break }
        }
        return heard.withLock { what($0) }
    }

    func receive(_ batch: borrowing ReplyBatch) {
        batch.forEachPush { kind, _, payload in
            guard kind == .message else { return }
            heard.withLock { heard in
                if let heardMark = HeardMark(payload), heardMark.nonce == mark { heard.mark = true }
                if payload.equals(key) { heard.key = true }
            }
        }
        bell.ring()
    }

    func silenceChanged(_ silent: Bool) {}
}
