import Console
import Foundation
import Glibc
import LeaderElection
import Supervision

/// The worker's end of the link to its parent.
final class ParentLink: ClaimWitness {
    /// That of this process; nil without a parent.
    static let own: ParentLink? =
        switch Role.own.role {
        case .worker, .workerAfterCrash: ParentLink(3)
        case .parent, .releaser, nil: nil
        }

    private let descriptor: Int32
    private let ending = StopRequest()

    private init(_ descriptor: Int32) {
        self.descriptor = descriptor
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        let thread = Thread { [ending] in
            var byte: UInt8 = 0
            while true {
                let count = unsafe recv(descriptor, &byte, 1, 0)
                // The parent says nothing: only its end can be read.
                if count == 0 || (count < 0 && errno != EINTR) { return ending.ask() }
            }
        }
        thread.name = "parent"
        thread.start()
    }

    /// Calls `listener` when the parent has ended, at once if it has: nothing would release what this
    /// process holds when it dies.
    func onEnd(_ listener: @escaping @Sendable () -> Void) { ending.onAsk(listener) }

    var hasEnded: Bool { ending.isAsked }

    /// Does not wait. What a parent does not hear costs a lease when this process dies, and nothing else.
    func tell(_ line: WorkerLine) {
        guard let bytes = line.bytes else { return }
        _ = unsafe send(descriptor, bytes, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
    }

    func claims(_ claim: Claim) {
        if let text = ToldClaim(claim).text { tell(.claim(text)) }
    }

    func leads(_ claim: Claim) { tell(.leads) }
    func released() { tell(.released) }
}

/// A claim as the parent keeps it and a releaser reads it: one line of JSON.
struct ToldClaim: Codable, Equatable {
    var name: String
    var id: String
    var value: String
    var rules: String
    var purpose: String

    init(_ claim: Claim) {
        (name, id, value) = (claim.name, claim.id, claim.value)
        (rules, purpose) = (claim.rules, claim.purpose)
    }

    /// Nil for what is none.
    init?(_ bytes: [UInt8]) {
        guard let claim = try? JSONDecoder().decode(Self.self, from: Data(bytes)) else { return nil }
        self = claim
    }

    var text: String? { (try? JSONEncoder().encode(self)).map { String(decoding: $0, as: UTF8.self) } }

    func claim(ttl: Duration) -> Claim {
        Claim(name: name, id: id, value: value, ttl: ttl, rules: rules, purpose: purpose)
    }
}
