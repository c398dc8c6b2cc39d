import LeaderElection
package import Logging
package import NIOCore
import RESP
import RedisClient
import Synchronization
import Timing

/// Fills holes in the leader's log with what its peers heard.
///
/// One hole of one log at a time: its log stands still meanwhile, the others go on. When every other
/// replica has answered, or the deadline has passed, what no replica had is lost, and is said to be.
package final class Repairer: Sendable {
    /// A hole to be filled.
    package struct Hole: Sendable, Hashable {
        package var runID: String
        package var node: String
        package var ordinals: ClosedRange<UInt64>
        /// Of the term that asks: the answer to an earlier one's question is not its answer.
        package var token: UInt64 = 0
        /// It is unknown whether there was anything: what no peer heard is not lost by that.
        package var survey: Survey?
        /// The node counted these and said nothing: no peer has heard them, and one that numbers otherwise
        /// would tell of others.
        package var isUnannounced = false
        /// A predecessor took these up and did not finish them; what else lies among the ordinals was
        /// finished, is not missing, and cannot be lost. Nil: all of them are missing.
        package var pending: PendingOrdinals?

        /// Whether this one is wanted.
        package func lacks(_ ordinal: UInt64) -> Bool {
            ordinals.contains(ordinal) && (pending?.contains(ordinal) ?? true)
        }

        /// How many of a part of it were missing.
        package func count(in part: ClosedRange<UInt64>) -> UInt64 {
            guard let pending else { return UInt64(part.count) }
            return UInt64(pending.sorted.count { part.contains($0) })
        }

        /// What of it a question has settled.
        package func settled(by end: RepairInquiry.End) -> ClosedRange<UInt64> {
            guard case .cut(let through) = end, ordinals.contains(through) else { return ordinals }
            return ordinals.lowerBound...through
        }

        /// What of it is to be asked about again; nil if nothing.
        package func rest(after end: RepairInquiry.End) -> Hole? {
            let last = settled(by: end).upperBound
            guard last < ordinals.upperBound else { return nil }
            var rest = self
            rest.ordinals = last + 1...ordinals.upperBound
            return rest
        }
    }

    /// What peers may have heard of a process though nothing here tells of it.
    package enum Survey: Sendable {
        /// What lies before this replica's log of it.
        case before
        /// What lies behind it; the process is gone.
        case behind
        /// The same, of a process that may live, though this replica cannot hear it.
        case meanwhile
        /// Which processes they hear: this replica hears none on a node that owns slots.
        case processes
    }

    /// What wants holes filled.
    package struct Listeners: Sendable {
        /// Whether the lease is valid; nil if the hole is no longer awaited: the term is over.
        package var leads: @Sendable (Hole) -> Bool?
        /// The peers have told what they had.
        package var answered: @Sendable (Hole) async -> Void = { _ in }
        /// What else peers must be asked about before a hole is settled; asked for again until it is nothing.
        package var besides: @Sendable (Hole, RepairInquiry.End) -> [Hole] = { _, _ in [] }
        /// The hole is as full as it will ever be. Returns how many of it are lost; nil if it is no longer
        /// awaited.
        package var settled: @Sendable (Hole, RepairInquiry.End) -> UInt64?
        package var gap: @Sendable (Gap) -> Void
    }

    private let id: String
    private let logs: LogSet
    private let mailbox: RepairMailbox
    private let channel: String
    private let peers: @Sendable () -> Set<String>
    private let look: @Sendable () -> Int
    private let listeners: Listeners
    private let loop: any EventLoop
    private let logger: Logger
    private let holes: AsyncStream<Hole>
    private let places: Int
    private let questions = Mutex(Questions())
    /// How often it is asked again beside one hole.
    private static let mostBesides = 256

    private struct Questions {
        /// The account that all answers draw from, by place. One that is closed is not opened again: what
        /// closes it may come after the next question, and a peer that finds none answers that one never.
        var account = Self.newAccount()
        var number = 0
        var open = 0
        /// Where the last question could be put.
        var place = 0
        /// When it was last told that none can be put.
        var told: Duration?

        static func newAccount() -> String { String(UInt64.random(in: .min ... .max), radix: 16) }

        /// Returns whether it was the last one.
        mutating func close() -> Bool {
            open -= 1
            guard open == 0 else { return false }
            account = Self.newAccount()
            return true
        }
    }

    /// - Parameters:
    ///   - holes: what is to be filled.
    ///   - places: where questions and answers are put.
    ///   - peers: the replicas seen lately, this one included or not.
    ///   - look: how many looks at the topology have begun.
    package init(
        holes: AsyncStream<Hole>, id: String, logs: LogSet, client: any CommandRunner, channel: String,
        places: RepairPlaces, peers: @escaping @Sendable () -> Set<String>, look: @escaping @Sendable () -> Int,
        listeners: Listeners, on loop: any EventLoop, logger: Logger
    ) {
        self.id = id
        self.logs = logs
        mailbox = RepairMailbox(client: client, key: places.key)
        self.places = places.count
        self.channel = channel
        self.peers = peers
        self.look = look
        self.listeners = listeners
        self.loop = loop
        self.logger = logger
        self.holes = holes
    }

    /// Fills holes until cancelled, several at once.
    package func run() async {
        await withDiscardingTaskGroup { group in
            for await hole in holes { group.addTask { await self.repair(hole) } }
        }
    }

    private func repair(_ hole: Hole) async {
        guard let end = await ask(hole, for: hole) else { return }
        await listeners.answered(hole)
        await askBesides(hole, end)
        guard let lost = listeners.settled(hole, end), hole.survey == nil else { return }
        let part = hole.settled(by: end)
        let repaired = hole.count(in: part) - lost
        listeners.gap(Gap(node: hole.node, runID: hole.runID, ordinals: part, repaired: repaired, lost: lost))
    }

    /// Asks about all that may explain a part of the hole otherwise. Peers that keep silent about one thing
    /// would about the next, and the log stands still meanwhile.
    private func askBesides(_ hole: Hole, _ end: RepairInquiry.End) async {
        for _ in 0..<Self.mostBesides {
            let others = listeners.besides(hole, end)
            if others.isEmpty { return }
            for other in others { guard await askThrough(other, for: hole) else { return } }
        }
    }

    /// Asks until everything is told that peers can tell; false if they do not answer.
    private func askThrough(_ hole: Hole, for awaited: Hole) async -> Bool {
        var rest = hole
        for _ in 0..<Self.mostBesides {
            guard let end = await ask(rest, for: awaited), end != .unanswered else { return false }
            guard let more = rest.rest(after: end) else { return true }
            rest = more
        }
        return true
    }

    /// Puts what the others had into the log; nil if `awaited`, for whose sake it is asked, is no longer
    /// awaited.
    private func ask(_ hole: Hole, for awaited: Hole) async -> RepairInquiry.End? {
        questions.withLock { $0.open += 1 }
        var asked: RepairRequest?
        let end = await ask(hole, for: awaited, &asked)
        if let asked { await mailbox.close(asked) }
        let isLast = questions.withLock { $0.close() }
        if isLast, let account = asked?.account { await mailbox.closeAccount(account) }
        return end
    }

    private func request(_ hole: Hole, _ number: Int) -> RepairRequest {
        let (account, place) = questions.withLock { ($0.account, $0.place) }
        return RepairRequest(
            nonce: "\(account)p\(place).\(String(number, radix: 16))", asker: id, runID: hole.runID,
            ordinals: hole.ordinals)
    }

    private func newNumber() -> Int {
        questions.withLock { questions in
            questions.number += 1
            return questions.number
        }
    }

    private func ask(
        _ hole: Hole, for awaited: Hole, _ asked: inout RepairRequest?
    ) async -> RepairInquiry.End? {
        let bell = Doorbell(on: loop)
        var inquiry = RepairInquiry(hole, peers: [])
        var (number, round) = (newNumber(), 0)
        var failures = 0
        while true {
            // Also after the last moment: a process that was stopped meanwhile finds what came.
            if let asked { await take(asked, into: &inquiry) }
            guard let leads = listeners.leads(awaited) else { return nil }
            inquiry.note(peers: peers().subtracting([id]))
            switch inquiry.next(now: SystemClock.read().monotonic, leads: leads) {
            case .ask:
                let former = inquiry.round == round ? nil : asked
                if inquiry.round != round { (number, round) = (newNumber(), inquiry.round) }
                let request = request(hole, number)
                asked = request
                await publish(request, &inquiry, &failures)
                // What came under the former name is in part only: peers tell all of it again.
                if let former { await mailbox.close(former) }
            case .wait: if await bell.wait(upTo: .milliseconds(10)) == .cancelled { return nil }
            case .over(let end): return end
            }
        }
    }

    private func take(_ request: RepairRequest, into inquiry: inout RepairInquiry) async {
        for _ in 0..<32 {
            let answers = await mailbox.take(request)
            if answers.isEmpty { return }
            for answer in answers { inquiry.take(answer, into: logs, look: look(), now: WallClock.milliseconds()) }
        }
    }

    private func publish(_ request: RepairRequest, _ inquiry: inout RepairInquiry, _ failures: inout Int) async {
        do throws(RedisError) {
            try await mailbox.ask(request, on: channel)
            inquiry.asked(now: SystemClock.read().monotonic)
        } catch {
            failures += 1
            let now = SystemClock.read().monotonic
            let isNews = questions.withLock { questions in
                questions.place = (questions.place + 1) % places
                guard failures >= places, questions.told.map({ now > $0 + .seconds(60) }) ?? true else { return false }
                questions.told = now
                return true
            }
            if isNews { logger.warning("peers not asked", metadata: ["error": "\(error)"]) }
            if error.isPermanent, failures >= places { inquiry.refused() }
        }
    }
}
