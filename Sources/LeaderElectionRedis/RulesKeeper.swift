package import LeaderElection
package import NIOCore
import RESP
import RedisClient
import Synchronization
import Timing

/// Signs the rules of this replica in the deployment, again and again; see ``GroupRules``.
package final class RulesKeeper: Sendable {
    package struct Place: Sendable {
        package var keys: ElectionKeys
        package var runner: any ScriptRunner

        package init(keys: ElectionKeys, runner: any ScriptRunner) {
            self.keys = keys
            self.runner = runner
        }
    }

    /// What the registers may be asked for.
    package enum Permit: Sendable, Equatable {
        /// The lease, for this purpose.
        case granted(LeasePurpose)
        case refused(by: MemberID, terms: String)
        /// Nothing that begins a term: too many of the keys take no writes.
        case unwritable(String)
        case unknown(String)
    }

    private struct State {
        var standing = GroupRules.Standing()
        var identity: DeploymentIdentity?
        var others = GroupRules.LivingOthers()
    }

    private let places: [Place]
    private let signature: GroupRules.Signature
    private let purpose: LeasePurpose
    private let life: GroupRules.Life
    private let timeout: Duration
    private let loop: any EventLoop
    private let met: @Sendable ([GroupRules.Other]) -> Void
    private let state: Mutex<State>
    private let isRunning = Mutex(false)
    private let firstLook = Gate()
    private let agreed = Mutex<@Sendable () -> Void>({})

    /// - Parameters:
    ///   - purpose: its address is what a refusal names this deployment by.
    ///   - leaseTTL: see ``GroupRules/Life``.
    ///   - needsIdentity: the registers are not in this deployment: their claims must say which one they
    ///     are for.
    ///   - met: called when other living replicas share this one's ID or have other settings.
    package init(
        places: [Place], signature: GroupRules.Signature, purpose: LeasePurpose, leaseTTL: Duration, timeout: Duration,
        needsIdentity: Bool = false, on loop: any EventLoop,
        met: @escaping @Sendable ([GroupRules.Other]) -> Void = { _ in }
    ) {
        self.places = places
        self.signature = signature
        self.purpose = purpose
        life = GroupRules.Life(lease: leaseTTL)
        self.timeout = timeout
        self.loop = loop
        self.met = met
        let candidate = String(UInt64.random(in: 1 << 60 ... .max), radix: 16)
        state = Mutex(State(identity: needsIdentity ? DeploymentIdentity(candidate: candidate) : nil))
    }

    /// Calls `listener` each time this replica may campaign and could not before.
    func onAgreed(_ listener: @escaping @Sendable () -> Void) { agreed.withLock { $0 = listener } }

    /// Signs until cancelled, and withdraws then: the next group need not wait for signatures to run out.
    func run() async {
        isRunning.withLock { $0 = true }
        let bell = Doorbell(on: loop)
        repeat {
            await look()
            firstLook.open()
        } while await bell.wait(upTo: pause) != .cancelled
        // The election is over and its task cancelled; this one knows no cancellation, and ends by its
        // timeout.
        await Task(executorPreference: EventLoopTaskExecutor(loop)) { await self.withdraw() }.value
    }

    /// Apart from those of other replicas: two that stand in each other's way must not ask in step.
    private var pause: Duration {
        let isAgreed = if case .granted = permit { true } else { false }
        return isAgreed ? min(.seconds(1), life.votes / 4) : .milliseconds(Int.random(in: 200...400))
    }

    /// What is known now.
    package var permit: Permit {
        let now = SystemClock.read().monotonic
        return state.withLock { state in
            switch state.standing.verdict(at: now) {
            case .agreed:
                guard let identity = state.identity else { return .granted(purpose) }
                guard let id = identity.id else { return .unknown("this deployment has no ID yet") }
                return .granted(LeasePurpose(kind: purpose.kind, deployment: id, address: purpose.address))
            case .refused(let member, let terms): return .refused(by: member, terms: terms)
            case .kept(let text): return .unwritable("\(purpose.address ?? "Redis") refuses writes: \(text)")
            case .unknown(let text): return .unknown(text)
            }
        }
    }

    /// Whether a term may go on: see ``GroupRules/Standing/isHeld(at:)``.
    ///
    /// Votes in this deployment prove nothing about the rules. Those of 5 registers may be had where two of
    /// the three masters with the rules are away, those of one where it is the third: a replica with other
    /// rules signs on the two, and its registers are others.
    package var mayGoOn: Bool {
        let now = SystemClock.read().monotonic
        return state.withLock { $0.standing.isHeld(at: now) }
    }

    /// The same, after the keys were asked at least once.
    func permitAsked() async -> Permit {
        if isRunning.withLock({ $0 }) { await firstLook.wait() } else { await look() }
        return permit
    }

    // MARK: The keys

    private func look() async {
        let wasGranted = if case .granted = permit { true } else { false }
        let sentAt = SystemClock.read().monotonic
        await withTaskGroup(of: (Int, GroupRules.Answer).self) { group in
            for (index, place) in places.enumerated() {
                group.addTask { (index, await self.sign(place)) }
            }
            var answers: [GroupRules.Answer?] = Array(repeating: nil, count: places.count)
            for await (index, answer) in group {
                answers[index] = answer
                // A majority is enough: a key that does not answer delays no election.
                let verdict = GroupRules.verdict(answers)
                if verdict == .agreed || !answers.contains(nil) { take(verdict, sentAt) }
            }
            var others: Set<GroupRules.Other> = []
            for (index, answer) in answers.enumerated() {
                guard case .signed(let seen) = answer else { continue }
                others.formUnion(state.withLock { $0.others.look(seen, inKey: index) })
            }
            if !others.isEmpty { met(others.sorted { "\($0.member)" < "\($1.member)" }) }
        }
        if state.withLock({ $0.identity != nil }) { await identify() }
        switch permit {
        // The first look begins the election anyway.
        case .granted: if !wasGranted, firstLook.isOpen { agreed.withLock({ $0 })() }
        // A signature beside the others' would keep them out in turn.
        case .refused:
            let now = SystemClock.read().monotonic
            if state.withLock({ $0.standing.mayWithdraw(at: now) }) { await withdraw() }
        case .unwritable, .unknown: break
        }
    }

    private func take(_ verdict: GroupRules.Verdict, _ sentAt: Duration) {
        state.withLock { $0.standing.take(verdict, sentAt: sentAt, life: life) }
    }

    private func sign(_ place: Place) async -> GroupRules.Answer {
        let milliseconds = life.signature / .milliseconds(1)
        let arguments = [
            "\(signature.member)", "\(Int(milliseconds))", signature.terms, signature.settings, signature.member.id,
        ]
        do throws(RedisError) {
            let reply = try await place.runner.run(
                RulesScripts.sign, keys: [place.keys.rules], arguments: arguments.map { Array($0.utf8) },
                timeout: timeout)
            let words = (reply.array ?? []).map { $0.string ?? "" }
            switch words.first {
            case "signed":
                return .signed(
                    stride(from: 1, to: words.count - 2, by: 3).map {
                        let other = GroupRules.Other(member: MemberID(words[$0]), settings: words[$0 + 1])
                        return GroupRules.Seen(other, ends: Int64(words[$0 + 2]) ?? 0)
                    })
            case "unsigned": return .unsigned(words.count > 1 ? words[1] : "writes are refused")
            case "taken" where words.count == 3: return .taken(by: MemberID(words[1]), terms: words[2])
            case "unsure" where words.count == 2: return .failed(words[1])
            default: return .failed("unexpected answer: \(reply)")
            }
        } catch { return .failed(error.description) }
    }

    private func withdraw() async {
        await withDiscardingTaskGroup { group in
            for place in places {
                group.addTask { [self] in
                    _ = try? await place.runner.run(
                        RulesScripts.withdraw, keys: [place.keys.rules],
                        arguments: [Array("\(signature.member)".utf8)], timeout: timeout)
                }
            }
        }
    }

    private func identify() async {
        guard let place = places.dropFirst(places.count / 2).first else { return }
        let now = SystemClock.read().monotonic
        guard let proposal = state.withLock({ $0.identity?.proposal(at: now) }) else { return }
        let reply = try? await place.runner.run(
            RulesScripts.identify, keys: [place.keys.deployment], arguments: [Array(proposal.utf8)], timeout: timeout)
        guard let stored = reply?.string else { return }
        state.withLock { $0.identity?.take(stored, at: now) }
    }
}
