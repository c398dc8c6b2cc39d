package import NIOCore
package import RESP
import Timing

/// Takes what a subscription hears, on the subscription's event loop.
package protocol PushReceiver: AnyObject, Sendable {
    /// Some pushes, in order.
    func receive(_ batch: borrowing ReplyBatch)

    /// This was all for now, were it only a part of a message: its reader is woken once, not for each
    /// batch.
    func receivedAll()

    /// A ping is on its way.
    func pingSent()

    /// The ping has been answered: what is received from here on was sent after it had reached the node.
    func pingAnswered()

    /// The node has left a ping unanswered and said nothing else (true): it may be frozen, and may lose its
    /// role without knowing. True again when it has spoken meanwhile and then fallen silent anew. Or it
    /// answers again (false); what came with the answer has been received before.
    func silenceChanged(_ silent: Bool)
}

extension PushReceiver {
    package func receivedAll() {}
    package func pingSent() {}
    package func pingAnswered() {}
}

/// A connection that listens on channels of one node. RESP2: once subscribed it can only (un)subscribe
/// and ping.
///
/// It pings each second: a frozen node's socket looks alive to keepalive and TCP_USER_TIMEOUT (see
/// ``PingWatch``). A silent one is reported, not closed: when the node wakes, all that it has to say is
/// still heard. Its owner closes it once the node answers elsewhere.
package final class Subscription: Sendable {
    /// A longer key, or other message, is passed over: it is reported with its size, and never held.
    package static let messageBytes = 1 << 20

    static func limits(_ messageBytes: Int) -> ReplyLimits {
        ReplyLimits(
            bulkBytes: Self.messageBytes, values: 1 << 10, replyBytes: 2 * Self.messageBytes, messageBytes: messageBytes
        )
    }

    package let address: NodeAddress
    /// Identifies the server process; a restart changes it.
    package let runID: String
    private let channel: any Channel

    private init(address: NodeAddress, runID: String, channel: any Channel) {
        self.address = address
        self.runID = runID
        self.channel = channel
    }

    /// Connects, logs in, learns the run ID, asks for the receiver of that server's pushes, and subscribes.
    /// Cancellation ends it at once.
    ///
    /// - Parameters:
    ///   - messageBytes: a longer message is passed over.
    ///   - gathering: the shortest time between two reads: one wake-up serves what has come meanwhile.
    ///   - receiver: a failure refuses that server, and is thrown.
    package static func open(
        to address: NodeAddress, settings: ConnectionSettings, channels: [String],
        messageBytes: Int = Subscription.messageBytes, gathering: Duration = .zero, on loop: any EventLoop,
        receiver: @escaping @Sendable (_ runID: String) -> Result<any PushReceiver, RedisError>
    ) async throws(RedisError) -> Subscription {
        let attempt = ConnectionAttempt(on: loop)
        let opened = loop.makePromise(of: Subscription.self)
        RedisConnection.connect(to: address, settings: settings, on: loop, attempt)
            .flatMap { connection in
                connection.send([RESPCommand("INFO", "server")]).flatMapThrowing { replies in
                    if case .error(let error) = replies[0] { throw RedisError(error, node: address) }
                    guard let runID = infoField("run_id", in: replies[0]) else {
                        throw RedisError(.protocolViolation, node: address, "INFO server names no run_id")
                    }
                    return runID
                }.flatMap { runID in
                    guard !attempt.isGivenUp else {
                        return loop.makeFailedFuture(RedisError(.closed, node: address, "cancelled"))
                    }
                    switch receiver(runID) {
                    case .success(let receiver):
                        return connection.becomeSubscriber(
                            channels: channels, receiver: receiver, settings: settings, messageBytes: messageBytes,
                            gathering: gathering
                        )
                        .map { Subscription(address: address, runID: runID, channel: $0) }
                    case .failure(let error): return loop.makeFailedFuture(error)
                    }
                }.flatMapErrorThrowing { error in
                    connection.close()
                    throw error
                }
            }.cascade(to: opened)
        do {
            return try await withTaskCancellationHandler {
                try await opened.futureResult.get()
            } onCancel: {
                // On the loop: no receiver is asked for after the caller has heard of the end.
                loop.execute {
                    attempt.giveUp()
                    opened.fail(RedisError(.closed, node: address, "cancelled"))
                }
            }
        } catch let error as RedisError {
            throw error
        } catch {
            throw RedisConnection.unreachable(address, error)
        }
    }

    package var isActive: Bool { channel.isActive }

    /// Completes when the connection is gone; never fails.
    package var closed: EventLoopFuture<Void> { channel.closeFuture }

    /// At once, whether the node still answers or not.
    package func close() { channel.eventLoop.execute { [channel] in channel.closeAtOnce() } }
}

extension RedisConnection {
    /// Swaps the command handler for a subscriber; completes when every channel is confirmed.
    func becomeSubscriber(
        channels: [String], receiver: any PushReceiver, settings: ConnectionSettings,
        messageBytes: Int = Subscription.messageBytes, gathering: Duration = .zero
    ) -> EventLoopFuture<any Channel> {
        channel.eventLoop.flatSubmit {
            let confirmed = self.channel.eventLoop.makePromise(of: Void.self)
            let subscriber = SubscriberHandler(
                node: self.address, channels: channels, receiver: receiver, confirmed: confirmed,
                timeout: settings.connectTimeout, messageBytes: messageBytes, gathering: gathering)
            let pipeline = self.channel.pipeline.syncOperations
            return pipeline.removeHandler(self.handler.value).assumeIsolated().flatMapThrowing { _ in
                try pipeline.addHandler(subscriber)
            }.nonisolated().flatMapErrorThrowing { error in
                // The connection has closed meanwhile, and its handlers have left.
                confirmed.fail(error)
                throw RedisError(.closed, node: self.address, "the server closed the connection")
            }.flatMap { confirmed.futureResult }.map { self.channel }
        }
    }
}
