import RESP
import RedisClient
import Synchronization
import Timing

/// How many dead letters wait in their stream, asked now and then: each is an expiration that waits for an operator.
final class LetterCount: Sendable {
    /// Between two looks.
    static let pause = Duration.seconds(10)

    private let stream: DeadLetters.Stream?
    private let bell: Doorbell
    private let last = Mutex<Int?>(nil)

    /// - Parameter stream: nil where the log has the letters.
    init(_ stream: DeadLetters.Stream?, bell: Doorbell) {
        self.stream = stream
        self.bell = bell
    }

    /// Nil while it is not known: no stream, no answer, or a user that may not ask.
    var current: Int? { last.withLock { $0 } }

    /// Asks until cancelled.
    func run() async {
        guard let stream else { return }
        repeat {
            let reply = await unlessCancelled {
                try? await stream.client.send(RESPCommand("XLEN", stream.key), key: stream.key)
            }
            let count = reply??.int.flatMap { $0 >= 0 ? Int($0) : nil }
            last.withLock { $0 = count }
        } while await bell.wait(upTo: Self.pause) != .cancelled
    }
}
