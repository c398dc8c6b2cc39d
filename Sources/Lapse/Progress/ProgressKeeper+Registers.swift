import LeaderElectionRedis
import RESP
import RedisClient

/// How all registers are asked at once, and what they say.
extension ProgressKeeper {
    struct Reply: Sendable {
        var register: String
        var value: RESPValue?
        var error: RedisError?
    }

    /// Why no majority of the registers does what it was asked for.
    ///
    /// Where those that do not forbid it are a majority by themselves, it is one that is away that is
    /// missing, and it may come back.
    static func trouble(_ replies: [Reply]) -> ProgressTrouble {
        let troubles = replies.compactMap { reply in reply.error.map { ProgressTrouble(reply.register, $0) } }
        let passing = troubles.filter { !$0.isForbidden }
        let forbidden = troubles.count - passing.count
        let first = (replies.count - forbidden) * 2 > replies.count ? passing.first : troubles.first
        return first ?? troubles.first
            ?? ProgressTrouble(
                register: replies.first?.register ?? "", text: "the answer makes no sense", isRefusal: true)
    }

    func onAll(
        _ ask: @Sendable @escaping (Place) async throws(RedisError) -> RESPValue
    ) async -> [Reply] {
        await withTaskGroup(of: Reply.self) { group in
            for place in places {
                group.addTask {
                    // Made at once and appended below: set piece by piece and reduced, Swift 6.3 released a reply twice
                    // where it optimised.
                    do throws(RedisError) {
                        return Reply(register: place.keys.progress, value: try await ask(place), error: nil)
                    } catch {
                        return Reply(register: place.keys.progress, value: nil, error: error)
                    }
                }
            }
            var replies: [Reply] = []
            for await reply in group { replies.append(reply) }
            return replies
        }
    }

    func bytes(_ words: [String]) -> [[UInt8]] { words.map { Array($0.utf8) } }
}

extension ProgressKeeper.State {
    /// Tokens begin anew with an epoch: what was said under earlier ones is of no leader that may lead now.
    mutating func enter(_ newer: UInt64) {
        guard newer > epoch else { return }
        epoch = newer
        latestToken = 0
        wholeness = nil
    }

    /// What registers say besides the cursors.
    mutating func take(_ words: [RegisterWord], of registers: Int, _ refusal: ProgressTrouble?) {
        troubles.presence = refusal
        guard !words.isEmpty else { return }
        // One register may have forgotten members; one that refuses to write does not know the latest.
        let seen = Set(words.flatMap(\.members))
        members = refusal == nil ? seen : members.union(seen)
        leaving = Set(words.flatMap(\.leaving))
        for kind in Wish.Kind.allCases {
            wishes[kind] = WishVote.outcome(words.map { $0.wishes[kind] }, of: registers, before: wishes[kind])
        }
        accounts = words.reduce(into: [:]) { $0.merge($1.accounts) { $1.isNewer(than: $0) ? $1 : $0 } }
        replicas = words.reduce(into: [:]) { $0.merge($1.replicas) { first, _ in first } }
        if let newest = words.max(by: { $0.term < $1.term }), newest.term >= term.term {
            term = (newest.term, newest.since)
        }
        latestToken = max(latestToken, words.map(\.fence).max() ?? 0)
        for word in words {
            // One that was away when the epoch began says what an earlier one's leader said.
            if let said = word.wholeness, word.origin?.epoch ?? 0 >= epoch, said.token >= wholeness?.token ?? 0 {
                wholeness = said
            }
            bases.merge(word.bases, uniquingKeysWith: max)
            for complaint in word.complaints where complained.count < 1000 {
                if complained.insert(complaint).inserted { complaints.append(complaint) }
            }
        }
    }
}
