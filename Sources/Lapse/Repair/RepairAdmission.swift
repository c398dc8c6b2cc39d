/// Which questions of peers are answered: each once, from replicas that may ask, and a bounded number a
/// second. A pure value.
///
/// A question comes in by every feed, and again until all have answered. Anyone with a right to PUBLISH
/// can forge one; what it then costs is bounded here and by ``RepairMailbox``.
package struct RepairAdmission {
    private var order: [String] = []
    private var nonces: Set<String> = []
    /// A forged one costs a GET: these are many, so that a flood hides no true one.
    private var withAccount = Allowance(perSecond: 400, most: 400)
    /// These are answered without any proof that the answers are read.
    private var withoutAccount = Allowance(perSecond: 4, most: 8)
    private static let memory = 1024

    package init() {}

    /// Whether `id` is to answer.
    ///
    /// - Parameters:
    ///   - members: the replicas seen lately; a question without an account is answered to them alone.
    ///   - now: by the monotonic clock.
    package mutating func admits(_ request: RepairRequest, for id: String, members: Set<String>, now: Duration) -> Bool
    {
        guard request.asker != id, !nonces.contains(request.nonce) else { return false }
        if request.account == nil {
            guard members.contains(request.asker), withoutAccount.take(now) else { return false }
        } else {
            guard withAccount.take(now) else { return false }
        }
        nonces.insert(request.nonce)
        order.append(request.nonce)
        if order.count > Self.memory { nonces.remove(order.removeFirst()) }
        return true
    }

    /// The answer could not be written: the next time it is heard it is new.
    package mutating func forget(_ request: RepairRequest) {
        guard nonces.remove(request.nonce) != nil else { return }
        order.removeAll { $0 == request.nonce }
    }
}
