package import RESP
import RedisClient

/// What one register holds of the group's progress: its answer to a read, checked.
package struct RegisterWord: Sendable {
    package var entries: [String: Progress] = [:]
    /// What replicas have found to be missing from a process' counter, by run ID (see ``Numbering``).
    package var bases: [String: UInt64] = [:]
    /// The replicas that were alive within the last seconds.
    package var members: Set<String> = []
    /// Those that have said that they leave, a short while ago.
    package var leaving: Set<String> = []
    /// The largest token of this store that has read or written here.
    package var fence: UInt64 = 0
    package var origin: ProgressOrigin?
    package var wholeness: Wholeness?
    /// How many terms have begun since one had dealt with all that it found.
    package var unclosed: UInt64 = 0
    package var suspects: Suspects?
    /// What operators want, as far as it stands now.
    package var wishes: [Wish.Kind: StandingWish] = [:]
    /// What the leader last said to a wish of each kind.
    package var answers: [Wish.Kind: SteeringAnswer] = [:]
    /// What became of each log in the leader's term, by run ID.
    package var accounts: [String: PublishedAccount] = [:]
    /// What replicas say of themselves, by member.
    package var replicas: [String: ReplicaWord] = [:]
    /// The number of the last term, and when it began, in milliseconds since 1970: only where the lease is
    /// held here.
    package var term: UInt64 = 0
    package var since: UInt64?
    /// What could not be written in passing: this replica's presence, or the fence. Redis' own words.
    package var refusal: String?
    /// Fields that this build cannot read, and why; they count as absent.
    package var complaints: [String] = []
    /// More replicas than any group has.
    private static let memberLimit = 1024
    private static let leavingPrefix = "leaving:"
    /// No replica takes longer to leave, in seconds.
    private static let longestLeave: UInt64 = 15

    /// In which a replica says that it leaves; its value is `v1`, and when, by the register's clock.
    static func leavingField(_ id: String) -> String { leavingPrefix + id }

    package init() {}

    /// Nil for an answer that makes no sense.
    ///
    /// - Parameter tokenField: the field with the largest token of this election's store.
    package init?(_ answer: RESPValue, tokenField: String) {
        guard let parts = answer.array, parts.count >= 3, let fields = parts[0].array, let seen = parts[1].array,
            let now = parts[2].int, (0..<1 << 40).contains(now)
        else { return nil }
        if parts.count > 3, let text = parts[3].string, !text.isEmpty {
            refusal = RefusedWrite(text)?.words ?? text
        }
        for (field, text) in Self.pairs(fields) { read(field, text, tokenField, UInt64(now)) }
        for entry in entries.keys { entries[entry]?.epoch = origin?.epoch ?? 0 }
        for (id, time) in Self.pairs(seen) {
            guard members.count < Self.memberLimit, id.utf8.count <= 255, let time = PlausibleCount.read(time) else {
                complain("member \(id.prefix(80))", time)
                continue
            }
            if time + 4 >= UInt64(now) { members.insert(id) }
        }
    }

    private mutating func read(_ field: String, _ text: String, _ tokenField: String, _ now: UInt64) {
        if field == tokenField {
            fence = PlausibleCount.read(text) ?? 0
            if PlausibleCount.read(text) == nil { complain(field, text) }
        } else if field == ProgressOrigin.field {
            origin = ProgressOrigin(text: text)
            if origin == nil { complain(field, text) }
        } else if field == Wholeness.field {
            wholeness = Wholeness(text: text)
        } else if field == UnclosedTerms.field {
            unclosed = PlausibleCount.read(text) ?? 0
            if PlausibleCount.read(text) == nil { complain(field, text) }
        } else if field == Suspects.field {
            suspects = Suspects(text: text)
            if suspects == nil { complain(field, text) }
        } else if field == "term" {
            term = PlausibleCount.read(text) ?? 0
        } else if field == "since" {
            since = PlausibleCount.read(text)
        } else if let account = PublishedAccount(field: field, text: text) {
            accounts[account.runID] = account
        } else if field.hasPrefix(ReplicaWord.prefix), field.utf8.count <= 255 + ReplicaWord.prefix.utf8.count {
            guard replicas.count < Self.memberLimit else { return }
            replicas[String(field.dropFirst(ReplicaWord.prefix.count))] = ReplicaWord(text: text, now: now)
        } else if SteeringAnswer.isField(field) {
            guard let answer = SteeringAnswer(written: text) else { return }
            // The fields come in any order. Of one token the kind's own one is the newer.
            let isNewer = answers[answer.kind].map {
                answer.token > $0.token || answer.token == $0.token && field == answer.field
            }
            if isNewer ?? true { answers[answer.kind] = answer }
        } else if let kind = Wish.Kind(field: field) {
            guard let wish = Wish(kind, text: text) else { return complain(field, text) }
            wishes[kind] = StandingWish(wish, now: now)
        } else if field.hasPrefix(Self.leavingPrefix) {
            guard leaving.count < Self.memberLimit, field.utf8.count <= 255 + Self.leavingPrefix.utf8.count,
                text.hasPrefix("v1 "),
                let since = PlausibleCount.read(text.dropFirst(3))
            else { return complain(field, text) }
            // One of the future would never be over.
            let isNow = since + Self.longestLeave >= now && since <= now + Self.longestLeave
            if isNow { leaving.insert(String(field.dropFirst(Self.leavingPrefix.count))) }
        } else if field.hasPrefix("log:") {
            if let entry = Progress(field: field, text: text) {
                entries[entry.runID] = entry
            } else {
                complain(field, text)
            }
        } else if field.hasPrefix("base:") {
            if text.hasPrefix("v1 "), let base = Numbering.told(text.dropFirst(3)) {
                bases[String(field.dropFirst(5))] = base
            } else {
                complain(field, text)
            }
        }
    }

    private mutating func complain(_ field: String, _ text: String) {
        let version = text.split(separator: " ").first.flatMap { $0.hasPrefix("v") ? UInt($0.dropFirst()) : nil }
        let reason =
            version.map { "has format \($0), which this build does not know: it counts as absent" }
            ?? "makes no sense and counts as absent: \(text.prefix(100))"
        complaints.append("\(field) \(reason)")
    }

    private static func pairs(_ flat: [RESPValue]) -> [(String, String)] {
        stride(from: 0, to: flat.count - 1, by: 2).compactMap { index in
            guard let name = flat[index].string, let text = flat[index + 1].string else { return nil }
            return (name, text)
        }
    }
}
