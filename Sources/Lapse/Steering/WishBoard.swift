import LeaderElectionRedis
import RESP
package import RedisClient

/// What the registers say at one look.
package struct WishSnapshot: Sendable {
    /// The token of the last term, by the store that votes now; 0 when there was none.
    package var token: UInt64 = 0
    /// The replicas that were alive within the last seconds, by their ids.
    package var replicas: Set<String> = []
    /// Those that a majority holds.
    package var wishes: [Wish.Kind: StandingWish] = [:]
    /// The pauses that any register holds.
    package var pauses: [Wish] = []
    /// To the wishes of each kind, of the newest term that said anything.
    package var answers: [Wish.Kind: SteeringAnswer] = [:]

    /// - Parameters:
    ///   - words: one for each register that answered.
    ///   - registers: how many there are.
    package init(_ words: [RegisterWord], of registers: Int) {
        token = words.map(\.fence).max() ?? 0
        replicas = Set(words.flatMap(\.members).map { MemberID($0).id })
        for kind in Wish.Kind.allCases {
            wishes[kind] = WishVote.outcome(words.map { $0.wishes[kind] }, of: registers, before: nil)
        }
        for wish in words.compactMap({ $0.wishes[.pause]?.wish })
        where !pauses.contains(where: { $0.nonce == wish.nonce }) {
            pauses.append(wish)
        }
        for kind in Wish.Kind.allCases {
            answers[kind] = words.compactMap { $0.answers[kind] }.max { $0.token < $1.token }
        }
    }

    /// The pause that replicas go by. While a register does not answer they keep one that they knew, even
    /// where fewer than a majority show it: then the leader's answer tells.
    package var pause: Wish? {
        let answer = answers[.pause]
        return wishes[.pause]?.wish ?? pauses.first { $0.nonce == answer?.nonce && answer?.verdict == .paused }
    }
}

/// Where an operator's command leaves wishes, and reads what became of them: the progress hashes of all
/// registers. It is no replica, and is not seen as one.
package struct WishBoard: Sendable {
    private let places: [ProgressKeeper.Place]
    private let channel: String
    private let client: KeyedClient
    private static let timeout = Duration.seconds(2)

    package init(name: String, registers: Int, client: KeyedClient) {
        places = ElectionKeys.registers(registers, name: name).map { .init(keys: $0, runner: client) }
        channel = ElectionKeys.channel(name)
        self.client = client
    }

    /// A majority's word. Throws the first register's error when fewer answered.
    package func look() async throws(RedisError) -> WishSnapshot {
        let answers = try await onMajority { place throws(RedisError) in
            try await place.runner.run(
                ProgressScripts.look, keys: [place.keys.progress, place.keys.members], arguments: [],
                timeout: Self.timeout)
        }
        // Whose tokens they are stands beside them: the field is known only then.
        let origins = answers.compactMap { RegisterWord($0, tokenField: "token")?.origin }
        let store = origins.max { $0.epoch < $1.epoch }?.store ?? "redis"
        let field = store == "redis" ? "token" : "token@\(store)"
        return WishSnapshot(answers.compactMap { RegisterWord($0, tokenField: field) }, of: places.count)
    }

    /// Leaves a wish in the registers, which note the time, and tells the replicas that there is one.
    package func leave(
        _ kind: Wish.Kind, for time: Duration, token: UInt64 = 0, target: String? = nil, author: String
    ) async throws(RedisError) -> Wish {
        let seconds = UInt64(max(1, min(time.components.seconds, Int64(Wish.longest))))
        let wish = Wish(
            kind, nonce: Self.nonce(), made: 0, expires: seconds, token: token, target: target,
            author: Wish.fitting(author))
        let arguments = [
            kind.field, wish.nonce, "\(seconds)", "\(token)", target.map(EscapedWord.escape) ?? "-",
            EscapedWord.escape(wish.author),
        ].map { Array($0.utf8) }
        do {
            _ = try await onMajority { place throws(RedisError) in
                try await place.runner.run(
                    ProgressScripts.wish, keys: [place.keys.progress], arguments: arguments, timeout: Self.timeout)
            }
        } catch {
            // Half a wish is none; what cannot be taken back runs out.
            try? await take(back: wish)
            throw error
        }
        await tellReplicas()
        return wish
    }

    /// The wish is none any more.
    package func take(back wish: Wish) async throws(RedisError) {
        let arguments = [wish.kind.field, wish.nonce].map { Array($0.utf8) }
        _ = try await onMajority { place throws(RedisError) in
            try await place.runner.run(
                ProgressScripts.removeWish, keys: [place.keys.progress], arguments: arguments, timeout: Self.timeout)
        }
        await tellReplicas()
    }

    /// They look at once; without it they would within a second.
    private func tellReplicas() async {
        _ = try? await client.send(RESPCommand("PUBLISH", channel, GroupMessage.wish.text), key: channel)
    }

    private func onMajority(
        _ ask: @Sendable @escaping (ProgressKeeper.Place) async throws(RedisError) -> RESPValue
    ) async throws(RedisError) -> [RESPValue] {
        let replies = await withTaskGroup(of: Result<RESPValue, RedisError>.self) { group in
            for place in places {
                // All at once: one that does not answer holds up no other.
                group.addTask {
                    do throws(RedisError) { return .success(try await ask(place)) } catch { return .failure(error) }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        var answers: [RESPValue] = []
        var trouble: RedisError?
        for reply in replies {
            switch reply {
            case .success(let value): answers.append(value)
            case .failure(let error): trouble = trouble ?? error
            }
        }
        if answers.count <= places.count / 2, let trouble { throw trouble }
        return answers
    }

    private static func nonce() -> String {
        var random = SystemRandomNumberGenerator()
        let digits = Array("0123456789abcdef")
        return String((0..<Wish.nonceLength).map { _ in digits[Int(random.next() & 15)] })
    }
}
