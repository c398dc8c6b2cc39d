import LeaderElectionRedis
package import NIOCore
import RESP
package import RedisClient
import Timing

/// Asks the replicas of a group what became of a key. It takes a right to write where they keep their
/// progress.
package struct TraceInquiry: Sendable {
    private let mailbox: RepairMailbox
    private let channel: String
    private let account: String
    private let loop: any EventLoop

    /// - Parameter loop: keeps time.
    package init(name: String, isCluster: Bool, client: KeyedClient, on loop: any EventLoop) {
        mailbox = RepairMailbox(client: client, key: RepairPlaces(name: name, isSpread: isCluster).key)
        channel = ElectionKeys.channel(name)
        account = String(UInt64.random(in: .min ... .max), radix: 16) + "p0"
        self.loop = loop
    }

    /// Every replica's answer, until all of `replicas` have answered or the time is over. Throws when the
    /// question cannot be put.
    package func ask(
        _ question: TraceQuestion, replicas: Set<String>, within limit: Duration
    ) async throws(RedisError) -> [TraceAnswer] {
        let (nonce, place) = ("\(account).1", "\(account).q")
        try await mailbox.lay(question.bytes, at: place)
        var answers: [String: TraceAnswer] = [:]
        let bell = Doorbell(on: loop)
        let deadline = SystemClock.read().monotonic + limit
        var looks = 0
        repeat {
            // Again: a feed may have been between two connections, and a flood of forged questions hides a true
            // one for a while.
            if looks % 10 == 0 {
                try await mailbox.open(account, telling: GroupMessage.trace(nonce: nonce).text, on: channel)
            }
            looks += 1
            for bytes in try await mailbox.take(nonce, of: account).prefix(Self.answerLimit) {
                guard let answer = TraceAnswer(json: Array(bytes.readableBytesView)) else { continue }
                guard answers.count < Self.answerLimit else { break }
                answers[answer.replica] = answer
            }
            if !replicas.isEmpty, replicas.isSubset(of: answers.keys) { break }
            if await bell.wait(upTo: .milliseconds(50)) == .cancelled { break }
        } while SystemClock.read().monotonic < deadline
        await mailbox.remove([place, nonce, account])
        return answers.values.sorted { $0.replica < $1.replica }
    }

    /// More replicas than any group has.
    private static let answerLimit = 256
}
