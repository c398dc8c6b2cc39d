import Lapse
import LeaderElection
import LeaderElectionRedis
import RESP
import RedisClient
import Synchronization

/// What lies beside the lock: the leader's progress, and which replicas were seen when.
struct GroupRecord: Sendable {
    /// By run ID.
    var progress: [String: Progress] = [:]
    /// By run ID.
    var accounts: [String: PublishedAccount] = [:]
    /// Seconds since each was seen, by id.
    var replicas: [String: Int] = [:]
    /// One for each register that told.
    private var pauses: [StandingWish?] = []
    /// One for each register that told, and in which a replica has signed lately.
    private var signedPauses: [StandingWish?] = []
    /// The pause that stands.
    private(set) var pause: StandingWish?
    /// Whether a pause stands; nil where too few registers tell. Registers that no replica signs are not
    /// the group's: it has another number of them.
    private(set) var isPaused: Bool?
    /// What replicas say of themselves, by id.
    var words: [String: ReplicaWord] = [:]
    /// How many registers did not tell.
    var unread = 0

    /// The newest of what the registers hold. One that does not answer is left out.
    ///
    /// - Parameter silent: nodes that are asked nothing more, for a caller that reads many groups.
    static func read(
        _ places: [ElectionKeys], _ client: KeyedClient, passingOver silent: SilentNodes? = nil
    ) async -> GroupRecord {
        await withTaskGroup(of: GroupRecord.self) { group in
            for place in places {
                // All at once: one that does not answer holds up no other.
                group.addTask { await read(place, client, silent) }
            }
            var all = GroupRecord()
            for await one in group {
                all.progress = Progress.newest([all.progress, one.progress])
                all.accounts.merge(one.accounts) { $1.isNewer(than: $0) ? $1 : $0 }
                all.unread += one.unread
                all.pauses += one.pauses
                all.signedPauses += one.signedPauses
                all.words.merge(one.words) { first, _ in first }
                all.replicas.merge(one.replicas, uniquingKeysWith: min)
            }
            all.pause = WishVote.outcome(all.pauses, of: places.count, before: nil)
            all.isPaused = WishVote.stands(all.signedPauses, of: places.count)
            return all
        }
    }

    private static func read(_ place: ElectionKeys, _ client: KeyedClient, _ silent: SilentNodes?) async -> GroupRecord
    {
        let node = client.node(for: place.progress)
        if let node, silent?.contains(node) == true { return GroupRecord(unread: 1) }
        do throws(RedisError) {
            let reply = try await client.run(script, keys: [place.progress, place.members])
            return reply.array.map(GroupRecord.init) ?? GroupRecord(unread: 1)
        } catch {
            if let node, error.kind == .timeout { silent?.insert(node) }
            return GroupRecord(unread: 1)
        }
    }

    private static let script = Script(
        """
        return {redis.call('TIME')[1], redis.call('HGETALL', KEYS[1]), redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')}
        """)

    private init(unread: Int = 0) { self.unread = unread }

    private init(_ reply: [RESPValue]) {
        guard reply.count == 3, let now = PlausibleCount.read(reply[0]) else { return }
        var pause: StandingWish?
        for (field, text) in Self.pairs(reply[1]) {
            if field == Wish.Kind.pause.field {
                pause = Wish(.pause, text: text).flatMap { StandingWish($0, now: now) }
            }
            if field.hasPrefix(ReplicaWord.prefix), let word = ReplicaWord(text: text, now: now) {
                words[MemberID(String(field.dropFirst(ReplicaWord.prefix.count))).id] = word
            }
            if let entry = Progress(field: field, text: text) { progress[entry.runID] = entry }
            if let entry = PublishedAccount(field: field, text: text) { accounts[entry.runID] = entry }
        }
        pauses = [pause]
        for (id, seconds) in Self.pairs(reply[2]) {
            // No replica may have been there to remove those that are gone.
            guard let seen = PlausibleCount.read(seconds), seen + 30 >= now else { continue }
            let member = MemberID(id).id
            replicas[member] = min(replicas[member, default: .max], Int(now - min(now, seen)))
        }
        if !replicas.isEmpty { signedPauses = pauses }
    }

    private static func pairs(_ value: RESPValue) -> [(String, String)] {
        let flat = (value.array ?? []).map { $0.string ?? "" }
        return stride(from: 0, to: flat.count - 1, by: 2).map { (flat[$0], flat[$0 + 1]) }
    }
}

/// Nodes that did not answer in time once.
final class SilentNodes: Sendable {
    private let nodes = Mutex<Set<NodeAddress>>([])

    func contains(_ node: NodeAddress) -> Bool { nodes.withLock { $0.contains(node) } }
    func insert(_ node: NodeAddress) { nodes.withLock { _ = $0.insert(node) } }
}
