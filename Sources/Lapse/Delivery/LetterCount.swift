import Logging
import RESP
import RedisClient
import Synchronization
import Timing

/// How many dead letters wait in their stream, asked now and then: each is an expiration that waits for
/// an operator.
final class LetterCount: Sendable {
    /// Between two looks.
    static let pause = Duration.seconds(10)

    private let stream: DeadLetters.Stream?
    private let bell: Doorbell
    private let logger: Logger
    private let last = Mutex<Int?>(nil)

    /// - Parameter stream: nil where the log has the letters.
    init(_ stream: DeadLetters.Stream?, bell: Doorbell, logger: Logger) {
        self.stream = stream
        self.bell = bell
        self.logger = logger
    }

    /// Nil while it is not known: no stream, no answer, or a user that may not ask.
    var current: Int? { last.withLock { $0 } }

    /// Asks until cancelled.
    func run() async {
        guard let stream else { return }
        var told: String?
        repeat {
            let answer = await unlessCancelled { await self.ask(stream) }
            last.withLock { $0 = (try? answer?.get()) ?? nil }
            // A server that is away says nothing about the letters, and is told of elsewhere.
            if case .failure(let error)? = answer, error.isPermanent, told != error.text {
                told = error.text
                logger.warning(
                    "dead letters cannot be counted",
                    metadata: [
                        "stream": "\(stream.key)", "error": "\(error)",
                        "fix": "give the user +xlen, as lapse doctor --acl prints it",
                    ])
            }
        } while await bell.wait(upTo: Self.pause) != .cancelled
    }

    private func ask(_ stream: DeadLetters.Stream) async -> Result<Int?, RedisError> {
        do throws(RedisError) {
            let count = try await stream.client.send(RESPCommand("XLEN", stream.key), key: stream.key).int
            return .success(count.flatMap { $0 >= 0 ? Int($0) : nil })
        } catch {
            return .failure(error)
        }
    }
}
