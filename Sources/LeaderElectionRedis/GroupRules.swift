/// The rules that the living replicas of a group share, as a lease that many hold at once: replicas
/// with other registers, or another store, would else elect a leader of their own.
///
/// Each replica signs its rules, each second, in keys that do not depend on them
/// (``ElectionKeys/rules(inCluster:name:)``). A key takes no signature beside a living one with other
/// rules, and a replica campaigns only with a majority of the keys: so two rules are never in force
/// together. They change when the last replica has left, or the last signature has run out.
package enum GroupRules {
    /// What a replica signs.
    package struct Signature: Sendable, Hashable {
        /// The replica and its process: two processes with one ID are two signatures.
        package var member: MemberID
        /// What all must agree on: length of the lease, registers, names of the keys, and what the lease is
        /// for.
        package var terms: String
        /// What all should agree on: which keys the handler wants. Different ones are told, not refused.
        package var settings: String

        package init(member: MemberID, terms: String, settings: String = "") {
            self.member = member
            self.terms = Self.line(terms)
            self.settings = Self.line(settings)
        }

        /// One line of bounded length: it is compared by each replica each second.
        private static func line(_ text: String) -> String {
            String(text.map { $0.isNewline ? " " : $0 }.prefix(4000))
        }
    }

    /// Another living replica with the same terms that should be told about: it has this one's ID, or other
    /// settings.
    package struct Other: Sendable, Hashable {
        package var member: MemberID
        package var settings: String

        package init(member: MemberID, settings: String) {
            self.member = member
            self.settings = settings
        }
    }

    /// How long what was signed holds.
    ///
    /// A lease that is renewed just before the vote's permit ends lasts a lease longer, wherever its
    /// registers are. Others may sign their rules only after that: so the permit ends a lease before the
    /// signature does.
    package struct Life: Sendable, Equatable {
        /// How long a signature stands in the keys.
        package let signature: Duration
        /// How long after it was sent votes may be asked for and leases renewed.
        package let votes: Duration
        /// How long a lease lasts after its last renewal.
        let lease: Duration

        package init(lease: Duration) {
            self.lease = lease
            signature = max(lease * 3, .seconds(3))
            // Clocks differ in pace.
            votes = signature * 49 / 50 - lease
        }
    }

    /// What one key answers.
    package enum Answer: Sendable, Hashable {
        case signed([Seen])
        /// A living replica has signed other terms here.
        case taken(by: MemberID, terms: String)
        /// The server takes no writes, and this replica's terms are the only ones that stand here, if any do.
        case unsigned(String)
        case failed(String)
    }

    package enum Verdict: Sendable, Hashable {
        case agreed
        case refused(by: MemberID, terms: String)
        /// No majority can be signed in now, by others no more than by this replica: a term may go on, and
        /// none may begin.
        case kept(String)
        case unknown(String)
    }

    /// - Parameter answers: one for each key; nil while it has not answered.
    package static func verdict(_ answers: [Answer?]) -> Verdict {
        let signed = answers.count { if case .signed = $0 { true } else { false } }
        if signed > answers.count / 2 { return .agreed }
        var failure = "no answer in time"
        var unsigned = 0
        for answer in answers {
            switch answer {
            case .taken(let member, let terms): return .refused(by: member, terms: terms)
            case .unsigned(let text):
                unsigned += 1
                failure = text
            case .failed(let text): failure = text
            case .signed, nil: break
            }
        }
        if signed + unsigned > answers.count / 2 { return .kept(failure) }
        return .unknown(failure)
    }

    /// What a replica may do by the rules, now.
    package struct Standing: Sendable, Equatable {
        private var until: Duration?
        /// Until when a term may go on.
        private var heldUntil: Duration?
        /// Until when a lease may last that was renewed before the rules were refused.
        private var leaseUntil: Duration?
        private var last: Verdict = .unknown("not asked yet")

        package init() {}

        /// - Parameters:
        ///   - sentAt: by the monotonic clock, before the first key was asked.
        ///   - life: of this replica's signatures.
        package mutating func take(_ verdict: Verdict, sentAt: Duration, life: Life) {
            switch verdict {
            case .agreed:
                until = sentAt + life.votes
                heldUntil = until
            case .refused:
                if let heldUntil { leaseUntil = heldUntil + life.lease }
                until = nil
                heldUntil = nil
            // What was refused stays refused until a majority has signed.
            case .unknown: if case .refused = last { return }
            case .kept:
                if case .refused = last { return }
                if isHeld(at: sentAt) { heldUntil = sentAt + life.votes }
            }
            last = verdict
        }

        package func verdict(at now: Duration) -> Verdict {
            if let until, now < until { return .agreed }
            if case .agreed = last { return .unknown("not confirmed for too long") }
            return last
        }

        /// Whether a lease may be renewed under the rules that its term began under: it ends before others may
        /// sign theirs, which is when this replica's signature has run out, unless a majority takes no writes.
        package func isHeld(at now: Duration) -> Bool { heldUntil.map { now < $0 } ?? false }

        /// Whether signatures may be taken back that are worth nothing any more. Not while a lease may last
        /// that was renewed under them: others would sign at once, and lead beside it.
        package func mayWithdraw(at now: Duration) -> Bool {
            !isHeld(at: now) && leaseUntil.map { now >= $0 } ?? true
        }
    }
}

/// A replica's ID together with its process: an ID given twice by mistake still makes two members.
package struct MemberID: Sendable, Hashable, CustomStringConvertible {
    package let id: String
    package let process: String

    /// A member of this process.
    package init(id: String) {
        self.init(id: id, process: String(UInt32.random(in: 0x1000_0000 ... .max), radix: 16))
    }

    package init(id: String, process: String) {
        self.id = id
        self.process = process
    }

    /// `id#process`; what has no `#` is the ID of an older version's replica.
    package init(_ text: String) {
        let end = text.lastIndex(of: "#")
        id = end.map { String(text[..<$0]) } ?? text
        process = end.map { String(text[text.index(after: $0)...]) } ?? ""
    }

    package var description: String { process.isEmpty ? id : "\(id)#\(process)" }
}
