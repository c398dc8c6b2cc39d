#if MySQL
import LeaderElection

/// A row as the server showed it, and what is to be done with it. Pure: all times are the server's.
///
/// What is decided on a row is written under the condition that the row is still as it was read, in one
/// statement: a compare-and-set. When the condition fails, another replica wrote, and the row is read
/// again.
struct LeaseRow: Sendable, Equatable {
    /// The claim in the row; empty when it is free.
    var holder: String
    /// What the compare-and-set compares, beside the holder.
    var version: UInt64
    /// The largest token given out or confirmed.
    var token: UInt64
    /// The largest term confirmed.
    var term: UInt64
    /// The rules of the holder; nil where the table has no column for them.
    var rules: String?
    /// What the holder's lease is for.
    var purpose: String?
    /// Microseconds until the lease ends, negative after it; nil where the length of the holder's is
    /// unknown.
    var left: Int64?

    /// Rules and purpose share a column: a table of an older version has no other.
    static func text(rules: String, purpose: String) -> String { purpose.isEmpty ? rules : "\(rules)\n\(purpose)" }

    /// The two of that column.
    static func parts(_ text: String) -> (rules: String, purpose: String?) {
        let parts = text.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        return (parts[0], parts.count > 1 ? parts[1] : nil)
    }

    var isLive: Bool { !holder.isEmpty && left.map { $0 > 0 } ?? true }
    var ttl: Duration? { left.map { .microseconds($0) } }
}

/// What the server says in one look: the row, if there is one, and its time.
struct SeenRow: Sendable, Equatable {
    var row: LeaseRow?
    /// The server's clock in the unit of the token.
    var clock: UInt64
    /// How long the server has run, asked only of one that may forget a commit when it crashes.
    var serverAge: Duration?
    /// The table has one number for both token and term.
    var countsTermsByToken = false

    /// Above every token given out here, and above the lost ones of a table that was emptied or restored.
    var nextToken: UInt64 {
        guard let row else { return clock }
        return max(row.version + 1, row.token + 1, clock)
    }
}

/// A write to the row, done only if the row is still as it was read.
enum RowChange: Sendable, Equatable {
    /// The row is missing: make it, held by the claim.
    case insert(token: UInt64, term: UInt64)
    /// The claim takes a free row.
    case take(token: UInt64, term: UInt64)
    /// The lease runs anew from now, if it has not ended.
    case extend(token: UInt64, term: UInt64)
    case clear
}

/// Answer at once, or after a write that succeeded.
enum RowStep<Answer: Sendable>: Sendable {
    case answer(Answer)
    case write(RowChange, then: Answer)
}

extension RowStep: Equatable where Answer: Equatable {}

extension SeenRow {
    private func isMine(_ claim: Claim) -> Bool { row.map { $0.isLive && $0.holder == claim.value } ?? false }

    func acquire(_ claim: Claim) -> RowStep<AcquireReply> {
        if let row, row.isLive {
            if row.holder == claim.value {
                return .write(
                    .extend(token: row.token, term: row.term), then: .granted(vote(row.token, row.term)))
            }
            if let theirs = claim.mismatch(rules: row.rules, purpose: row.purpose) {
                return .answer(.mismatch(rules: theirs))
            }
            return .answer(.held(by: row.holder, ttl: row.ttl))
        }
        if let serverAge, serverAge < claim.ttl {
            let wait = claim.ttl - serverAge
            return .answer(.refused(reason: "the server is younger than the lease", retryAfter: wait))
        }
        let term = row?.term ?? 0
        return .write(taking(token: nextToken, term: term), then: .granted(vote(nextToken, term)))
    }

    private func vote(_ token: UInt64, _ term: UInt64) -> Vote {
        Vote(counter: token, term: countsTermsByToken ? token - min(token, 1) : term)
    }

    func confirm(_ claim: Claim, token: UInt64, term: UInt64) -> RowStep<Bool> {
        guard let row, isMine(claim) else { return .answer(false) }
        // The time too: the vote may be that of an earlier try.
        return .write(.extend(token: max(row.token, token), term: max(row.term, term)), then: true)
    }

    func renew(_ claim: Claim, token: UInt64, term: UInt64, heal: Bool) -> RowStep<RenewReply> {
        if let row, row.isLive {
            guard row.holder == claim.value else { return .answer(.lost(holder: row.holder)) }
            return .write(.extend(token: max(row.token, token), term: max(row.term, term)), then: .renewed)
        }
        guard heal else { return .answer(.lost(holder: nil)) }
        return .write(taking(token: max(row?.token ?? 0, token), term: max(row?.term ?? 0, term)), then: .renewed)
    }

    func release(_ claim: Claim) -> RowStep<Bool> {
        guard let row, row.holder == claim.value else { return .answer(false) }
        return .write(.clear, then: true)
    }

    private func taking(token: UInt64, term: UInt64) -> RowChange {
        row == nil ? .insert(token: token, term: term) : .take(token: token, term: term)
    }

    var observation: Observation {
        Observation(
            holder: row.flatMap { $0.isLive ? $0.holder : nil },
            ttl: row.flatMap { $0.isLive ? $0.ttl : nil }, term: row?.term ?? 0,
            token: FencingToken(rawValue: row?.token ?? 0))
    }
}
#endif
