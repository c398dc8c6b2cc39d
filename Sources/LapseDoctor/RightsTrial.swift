import ExpirationStream
import Lapse
import LeaderElection
import LeaderElectionRedis
import NIOCore
import RESP
import RedisClient

/// Tries on one server what Lapse will do there. Nothing is changed and nothing is announced by it.
struct RightsTrial {
    let client: NodeClient
    let name: String
    /// The databases whose events are listened to.
    let databases: Int
    let isCluster: Bool
    /// The registers that this server holds.
    let registers: [ElectionKeys]
    /// The rights that `lapse doctor --acl` would print.
    let rights: AccessRights

    /// The rights of a server of the deployment that are missing.
    func refusals() async -> [Refusal] {
        var found = await [stream(), isCluster ? topology() : nil].compactMap(\.self)
        // A subscription begins with INFO: without that nothing is learned about channels.
        if !found.contains(where: { $0.right == .info }) {
            let channels = DatabaseCount.heard(of: databases, wanted: rights.databases).map(EventChannel.name)
            async let events = subscribing(to: channels, .events)
            async let control = subscribing(to: [ElectionKeys.channel(name)], .control)
            async let hinted = hints()
            found += await [events, control, hinted].compactMap(\.self)
        }
        if let refusal = await companions() { found.append(refusal) }
        if let refusal = await appending() { found.append(refusal) }
        if let refusal = await deadLetters() { found.append(refusal) }
        if let refusal = await punctuality() { found.append(refusal) }
        return found + (await registersRefused())
    }

    /// The rights of the lease alone, for a lock server.
    func registersRefused() async -> [Refusal] {
        var found: [Refusal] = []
        for keys in registers {
            if let refusal = await register(keys), !found.contains(refusal) { found.append(refusal) }
        }
        return found
    }

    /// INFO, and a mark that is given up at its end: a PUBLISH without its message makes EXEC refuse all of
    /// it.
    private func stream() async -> Refusal? {
        let channel = ElectionKeys.channel(name)
        let words = [
            RESPCommand("INFO", "server"), RESPCommand("MULTI"), RESPCommand("INFO", "stats"),
            RESPCommand("PUBLISH", channel, "doctor"), RESPCommand("PUBLISH", channel), RESPCommand("EXEC"),
        ]
        guard let replies = try? await client.send(words) else { return nil }
        if let text = Self.denial(replies[0]) { return Refusal(.info, text) }
        return replies.dropFirst().compactMap(Self.denial).first.map { Refusal(.marks, $0) }
    }

    private func topology() async -> Refusal? {
        guard let reply = try? await client.send([RESPCommand("CLUSTER", "NODES")]).first else { return nil }
        return Self.denial(reply).map { Refusal(.topology, $0) }
    }

    private func subscribing(to channels: [String], _ right: Refusal.Right) async -> Refusal? {
        do throws(RedisError) {
            let subscription = try await Subscription.open(
                to: client.address, settings: client.settings, channels: channels, on: client.loop
            ) { _ in .success(DeafReceiver()) }
            subscription.close()
            return nil
        } catch {
            // A server that went away meanwhile is no question of rights.
            return error.kind == .denied ? Refusal(right, error.serverText) : nil
        }
    }

    private func register(_ keys: ElectionKeys) async -> Refusal? {
        await ask(
            RightsScript.registers, [keys.lock, keys.token, keys.progress, keys.members],
            [Array(ElectionKeys.channel(keys.name).utf8)], .registers, on: "the keys of {\(keys.tag)}:\(keys.name)")
    }

    /// Rights on keys are patterns: one timer and one companion of each rule stand for all.
    private func companions() async -> Refusal? {
        let names = (rights.companions?.rules ?? []).flatMap { rule in
            [rule.timer, rule.companion].map { $0.key(Array("{lapse-doctor}".utf8)) }
        }
        guard !names.isEmpty else { return nil }
        let select = rights.selectsDatabase ? "1" : "0"
        return await ask(
            RightsScript.companions, [], [Array(select.utf8)] + names, .companions, on: "timers and companions")
    }

    /// Each partition: a pattern may be written for some of them alone.
    private func appending() async -> Refusal? {
        guard let keys = rights.stream else { return nil }
        let names = keys.partitions.indices.flatMap { index in
            [keys.partitions[index], keys.writer(of: index), keys.cursor(of: index, runID: "doctor")]
        }
        return await ask(
            RightsScript.appending, [], ([keys.layout] + names).map { Array($0.utf8) }, .appending,
            on: "the stream \(keys.key)")
    }

    private func deadLetters() async -> Refusal? {
        guard let key = rights.deadLetter else { return nil }
        return await ask(
            RightsScript.deadLetters, [], [Array(key.utf8)], .deadLetters, on: "the stream for dead letters")
    }

    private func hints() async -> Refusal? {
        guard rights.punctual == .track else { return nil }
        return await subscribing(to: rights.databases.flatMap(HintChannel.names), .hints)
    }

    /// Rights on keys are patterns: one key of each wanted pattern stands for all.
    private func punctuality() async -> Refusal? {
        guard rights.punctual != .off else { return nil }
        let patterns = rights.wanted.isEmpty ? ["*"] : rights.wanted
        // A sweep alone asks for no key.
        let keys = rights.punctual == .track ? patterns.compactMap { Glob($0).example("lapse-doctor") } : []
        let select = rights.selectsDatabase ? "1" : "0"
        return await ask(
            RightsScript.punctuality, [], [Array(select.utf8)] + keys, .punctuality, on: "the wanted keys")
    }

    /// What of a script's commands this user may not run.
    private func ask(
        _ script: Script, _ keys: [String], _ arguments: [[UInt8]], _ right: Refusal.Right, on what: String
    ) async -> Refusal? {
        do throws(RedisError) {
            let reply = try await SingleServer(client).run(
                script, keys: keys, arguments: arguments, timeout: client.settings.commandTimeout)
            let missing = (reply.array ?? []).compactMap(\.string)
            return missing.isEmpty
                ? nil : Refusal(right, "not permitted on \(what): \(missing.joined(separator: ", "))")
        } catch {
            let isRefused =
                error.kind == .denied || error.text.contains("NOPERM") || error.text.contains("can't run this command")
            return isRefused ? Refusal(right, error.serverText) : nil
        }
    }

    private static func denial(_ reply: RESPValue) -> String? {
        guard case .error(let error) = reply else { return nil }
        if error.code == "NOPERM" { return error.text }
        // EXEC itself is refused as `EXECABORT Transaction discarded because of: NOPERM …`.
        guard error.code == "EXECABORT", let reason = error.text.firstRange(of: "because of: ") else { return nil }
        return String(error.text[reason.upperBound...])
    }
}

extension RedisError {
    /// What the server said, without our own advice: findings bring theirs.
    var serverText: String {
        text.firstRange(of: " ('lapse doctor").map { String(text[..<$0.lowerBound]) } ?? text
    }
}

/// Hears nothing: only whether the subscription is granted counts.
private final class DeafReceiver: PushReceiver {
    func receive(_ batch: borrowing ReplyBatch) {}
    func silenceChanged(_ silent: Bool) {}
}
