package import LeaderElection
import RESP
package import RedisClient
import Synchronization

/// Keeps the leader's progress beside the lock: written by the leader to all registers, read by followers and by the next one.
package final class ProgressKeeper: Sendable {
    /// One register's keys and how to reach them.
    package struct Place: Sendable {
        package var keys: ElectionKeys
        package var runner: any ScriptRunner

        package init(keys: ElectionKeys, runner: any ScriptRunner) {
            self.keys = keys
            self.runner = runner
        }
    }

    package enum Outcome: Sendable, Equatable {
        case written
        /// A later term has written: this one is over.
        case fenced
        /// Fewer than a majority answered.
        case failed
    }

    private let places: [Place]
    private let id: String
    /// The fields that hold the largest token seen, and the number of its last write. Tokens of different stores are not comparable,
    /// each has its own.
    private let tokenField: [UInt8]
    private let writeField: [UInt8]
    private let timeout: Duration
    private let implausible: ImplausibleInput?
    private let known = Mutex<[String: Progress]>([:])
    private let wholeness = Mutex<Wholeness?>(nil)
    private let members = Mutex<Set<String>>([])

    /// - Parameters:
    ///   - store: how the election's store names its keys; nil for Redis itself.
    ///   - timeout: for one write or read on one register.
    ///   - implausible: is told of fields that cannot be true.
    package init(
        places: [Place], id: String, guardedBy store: String? = nil, timeout: Duration = .milliseconds(500),
        implausible: ImplausibleInput? = nil
    ) {
        self.implausible = implausible
        tokenField = Array((store.map { "token@\($0)" } ?? "token").utf8)
        writeField = Array((store.map { "write@\($0)" } ?? "write").utf8)
        self.places = places
        self.id = id
        self.timeout = timeout
    }

    /// What was last read, by run ID.
    package var latest: [String: Progress] { known.withLock { $0 } }

    /// The replicas that were alive within the last seconds, this one included.
    package var peers: Set<String> { members.withLock { $0 } }

    /// Writes the cursors; a register that has seen a larger token refuses.
    package func write(_ progress: [Progress], token: FencingToken) async -> Outcome {
        let number = progress.map(\.write).max() ?? 0
        var arguments = [tokenField, Array("\(token)".utf8), writeField, Array("\(number)".utf8)]
        for entry in progress {
            arguments.append(Array(entry.field.utf8))
            arguments.append(Array(entry.text.utf8))
            if let account = PublishedAccount(entry) {
                arguments.append(Array(PublishedAccount.field(entry.runID).utf8))
                arguments.append(Array(account.text.utf8))
            }
        }
        let replies = await onAll(ProgressScripts.write, arguments) { [$0.progress] }
        let outcome = ProgressVote.outcome(replies.map { reply in reply?.int.map { $0 == 1 } })
        if outcome == .written {
            known.withLock { known in
                for entry in progress { known[entry.runID] = entry }
            }
        }
        return outcome
    }

    /// Reads the newest progress of every log, and tells the registers that this replica is alive.
    ///
    /// - Parameter token: of a term that begins: what the term before it sent and is still on its way is refused from now on.
    /// - Returns: nil when fewer than a majority answered.
    package func read(fencing token: FencingToken? = nil) async -> [String: Progress]? {
        let fence = token.map { [tokenField, Array("\($0)".utf8), writeField] } ?? []
        let replies = await onAll(ProgressScripts.read, [Array(id.utf8)] + fence) { [$0.progress, $0.members] }
        let answers = replies.compactMap { $0?.array }.filter { $0.count == 3 }
        let tables = answers.map { table($0[0].array ?? []) }
        if let latest = answers.compactMap({ Wholeness(in: $0[0].array ?? []) }).max(by: { $0.token < $1.token }) {
            wholeness.withLock { $0 = latest }
        }
        // One register may have forgotten whom it saw.
        if !answers.isEmpty { members.withLock { $0 = Set(answers.flatMap(Self.present)) } }
        // A minority's word still serves to trim: it was written by some leader.
        if !tables.isEmpty { known.withLock { $0 = Progress.newest([$0] + tables) } }
        return ProgressVote.newest(tables, of: places.count)
    }

    /// What the leader of the largest token said last about its logs; nil when no leader has said it.
    package var latestWholeness: Wholeness? { wholeness.withLock { $0 } }

    /// Says whether this leader's logs are whole. A register that has seen a larger token passes over it.
    package func write(_ wholeness: Wholeness) async {
        let arguments = [tokenField, Array("\(wholeness.token)".utf8)] + wholeness.field.map { Array($0.utf8) }
        _ = await onAll(ProgressScripts.say, arguments) { [$0.progress] }
    }

    /// This replica is about to end: the others need not wait for its answers any more.
    package func leave() async {
        _ = await onAll(ProgressScripts.leave, [Array(id.utf8)]) { [$0.members] }
    }

    /// Forgets the progress of processes that are gone.
    package func remove(_ runIDs: [String], token: FencingToken) async {
        guard !runIDs.isEmpty else { return }
        known.withLock { known in
            for runID in runIDs { known[runID] = nil }
        }
        let fields = runIDs.flatMap { ["log:\($0)", PublishedAccount.field($0)] }
        let arguments = [tokenField, Array("\(token)".utf8)] + fields.map { Array($0.utf8) }
        _ = await onAll(ProgressScripts.remove, arguments) { [$0.progress] }
    }

    private static let memberLimit = 1024

    /// The replicas seen within the last seconds.
    private static func present(_ answer: [RESPValue]) -> Set<String> {
        let flat = answer[1].array ?? []
        let now = PlausibleCount.read(answer[2]) ?? 0
        var present: Set<String> = []
        for index in stride(from: 0, to: flat.count - 1, by: 2) where present.count < Self.memberLimit {
            guard let id = flat[index].string, id.utf8.count <= 255, let seen = PlausibleCount.read(flat[index + 1]),
                seen + 4 >= now
            else { continue }
            present.insert(id)
        }
        return present
    }

    private func table(_ flat: [RESPValue]) -> [String: Progress] {
        var table: [String: Progress] = [:]
        for index in stride(from: 0, to: flat.count - 1, by: 2) {
            guard let field = flat[index].string, field.hasPrefix("log:"), let text = flat[index + 1].string else {
                continue
            }
            guard let progress = Progress(field: field, text: text) else {
                implausible?.tell(
                    field, is: text, at: places.first?.keys.progress ?? "",
                    fix: "HDEL the field: the leader writes it anew")
                continue
            }
            table[progress.runID] = progress
        }
        return table
    }

    private func onAll(
        _ script: Script, _ arguments: [[UInt8]], _ keys: @Sendable @escaping (ElectionKeys) -> [String]
    ) async -> [RESPValue?] {
        await withTaskGroup(of: RESPValue?.self) { group in
            for place in places {
                group.addTask { [timeout] in
                    try? await place.runner.run(script, keys: keys(place.keys), arguments: arguments, timeout: timeout)
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
    }
}

/// Whether the logs of the leader with this token are whole: no peer has anything that they lack.
package struct Wholeness: Sendable, Equatable {
    package var token: UInt64
    package var isWhole: Bool

    package init(token: UInt64, isWhole: Bool) {
        self.token = token
        self.isWhole = isWhole
    }

    /// Name and value in the progress hash.
    var field: [String] { ["whole", "\(token) \(isWhole ? 1 : 0)"] }

    /// - Parameter flat: the hash, names and values in turn.
    init?(in flat: [RESPValue]) {
        let fields = stride(from: 0, to: flat.count - 1, by: 2)
        guard let index = fields.first(where: { flat[$0].string == "whole" }),
            let parts = flat[index + 1].string?.split(separator: " "), parts.count == 2,
            let token = PlausibleCount.read(parts[0])
        else { return nil }
        self.init(token: token, isWhole: parts[1] == "1")
    }
}

/// KEYS: progress (and members). A write counts only with the largest token seen so far.
private enum ProgressScripts {
    /// ARGV: the token's field, token, the write's field, its number, then field and text in turn. One that was given up for lost and
    /// comes after a later one of its term has nothing new to say.
    static let write = Script(
        count + """

            local token = count(redis.call('HGET', KEYS[1], ARGV[1]))
            if token > tonumber(ARGV[2]) then return 0 end
            if token == tonumber(ARGV[2]) and count(redis.call('HGET', KEYS[1], ARGV[3])) > tonumber(ARGV[4]) then
                return 1
            end
            redis.call('HSET', KEYS[1], unpack(ARGV))
            return 1
            """)

    /// ARGV: this replica's id; of a term that begins also the token's field, token, and the write's field. Members not seen for 30 s
    /// are dropped.
    static let read = Script(
        count + """

            if ARGV[2] and count(redis.call('HGET', KEYS[1], ARGV[2])) < tonumber(ARGV[3]) then
                redis.call('HSET', KEYS[1], ARGV[2], ARGV[3], ARGV[4], '0')
            end
            local now = redis.call('TIME')
            local seconds = tonumber(now[1])
            redis.call('ZADD', KEYS[2], seconds, ARGV[1])
            redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', seconds - 30)
            return {redis.call('HGETALL', KEYS[1]), redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES'), seconds}
            """)

    /// ARGV: the token's field, token, then a field and its value.
    static let say = Script(
        count + """

            if count(redis.call('HGET', KEYS[1], ARGV[1])) > tonumber(ARGV[2]) then return 0 end
            redis.call('HSET', KEYS[1], ARGV[3], ARGV[4])
            return 1
            """)

    /// KEYS: members. ARGV: this replica's id. Who reads next drops one that was last seen so long ago.
    static let leave = Script("return redis.call('ZADD', KEYS[1], 0, ARGV[1])")

    /// What cannot be true counts as 0, as everywhere: see `PlausibleCount`.
    private static let count = """
        local function count(text)
          local number = tonumber(text or '0')
          if number and number >= 0 and number < 9007199254740992 then return number end
          return 0
        end
        """

    /// ARGV: the token's field, token, then fields.
    static let remove = Script(
        count + """

            if count(redis.call('HGET', KEYS[1], ARGV[1])) > tonumber(ARGV[2]) then return 0 end
            redis.call('HDEL', KEYS[1], unpack(ARGV, 3))
            return 1
            """)
}
