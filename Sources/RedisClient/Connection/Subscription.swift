package import NIOCore
package import RESP
import Timing

/// Takes what a subscription hears, on the subscription's event loop.
package protocol PushReceiver: AnyObject, Sendable {
    /// Some pushes, in order.
    func receive(_ batch: borrowing ReplyBatch)

    /// This was all for now, were it only a part of a message: its reader is woken once, not for each batch.
    func receivedAll()

    /// A ping is on its way.
    func pingSent()

    /// The ping has been answered: what is received from here on was sent after it had reached the node.
    func pingAnswered()

    /// The node has left a ping unanswered and said nothing else (true): it may be frozen, and may lose its role without
    /// knowing. True again when it has spoken meanwhile and then fallen silent anew.
    /// Or it answers again (false); what came with the answer has been received before.
    func silenceChanged(_ silent: Bool)
}

extension PushReceiver {
    package func receivedAll() {}
    package func pingSent() {}
    package func pingAnswered() {}
}

/// A connection that listens on channels of one node. RESP2: once subscribed it can only (un)subscribe and ping.
///
/// It pings each second: a frozen node's socket looks alive to keepalive and TCP_USER_TIMEOUT (see ``PingWatch``). A silent one is
/// reported, not closed: when the node wakes, all that it has to say is still heard. Its owner closes it once the node answers elsewhere.
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
    ///   - receiver: a failure refuses that server, and is thrown.
    package static func open(
        to address: NodeAddress, settings: ConnectionSettings, channels: [String],
        messageBytes: Int = Subscription.messageBytes, on loop: any EventLoop,
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
                            channels: channels, receiver: receiver, settings: settings, messageBytes: messageBytes
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

    package func close() { channel.close(promise: nil) }
}

extension RedisConnection {
    /// Swaps the command handler for a subscriber; completes when every channel is confirmed.
    func becomeSubscriber(
        channels: [String], receiver: any PushReceiver, settings: ConnectionSettings,
        messageBytes: Int = Subscription.messageBytes
    ) -> EventLoopFuture<any Channel> {
        channel.eventLoop.flatSubmit {
            let confirmed = self.channel.eventLoop.makePromise(of: Void.self)
            let subscriber = SubscriberHandler(
                node: self.address, channels: channels, receiver: receiver, confirmed: confirmed,
                timeout: settings.connectTimeout, messageBytes: messageBytes)
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

/// The listening end of a subscription.
private final class SubscriberHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let node: NodeAddress
    private let channels: [String]
    private let receiver: any PushReceiver
    private let confirmed: EventLoopPromise<Void>
    private let timeout: Duration
    private var reader: ReplyReader
    private var awaiting: Int
    private var failure: RedisError?
    private var tick: Scheduled<Void>?
    private var watch = PingWatch()
    private static let ping = RESPCommand("PING")
    private static let beat = SharedTick(every: .milliseconds(500))

    init(
        node: NodeAddress, channels: [String], receiver: any PushReceiver, confirmed: EventLoopPromise<Void>,
        timeout: Duration, messageBytes: Int
    ) {
        reader = ReplyReader(limits: Subscription.limits(messageBytes))
        self.node = node
        self.channels = channels
        self.receiver = receiver
        self.confirmed = confirmed
        self.timeout = timeout
        self.awaiting = channels.count
    }

    func handlerAdded(context: ChannelHandlerContext) {
        guard context.channel.isActive else {
            return confirmed.fail(RedisError(.closed, node: node, "the server closed the connection"))
        }
        var command = RESPCommand("SUBSCRIBE")
        for channel in channels { command.append(channel) }
        write(command, context)
        let loop = context.eventLoop.assumeIsolated()
        let channel = context.channel
        loop.scheduleTask(in: TimeAmount(timeout)) {
            guard self.awaiting > 0 else { return }
            self.fail(RedisError(.timeout, node: self.node, "SUBSCRIBE was not confirmed in time"), channel)
        }
        tickLater(NIOLoopBound(context, eventLoop: context.eventLoop))
    }

    /// All subscriptions of this process tick together: one wake-up serves them all.
    private func tickLater(_ context: NIOLoopBound<ChannelHandlerContext>) {
        guard context.value.channel.isActive else { return }
        let loop = context.value.eventLoop.assumeIsolated()
        tick = loop.scheduleTask(deadline: Self.beat.next(after: .now())) {
            self.ticked(context.value)
            self.tickLater(context)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        tick?.cancel()
        tick = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        watch.heard()
        do {
            try reader.read(unwrapInboundIn(data)) { batch in
                let isAnswered = awaiting > 0 || watch.isPingOpen ? hearControl(batch, context.channel) : false
                receiver.receive(batch)
                if isAnswered { answered() }
            }
        } catch {
            let text = "not a Redis reply (\(error)): closing the connection"
            fail(RedisError(.protocolViolation, node: node, text), context.channel)
        }
        // Closed by what it has read: nothing says that this read is complete.
        if !context.channel.isActive { receiver.receivedAll() }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        receiver.receivedAll()
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        tick?.cancel()
        tick = nil
        receiver.receivedAll()
        confirmed.fail(failure ?? RedisError(.closed, node: node, "the server closed the connection"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(RedisConnection.unreachable(node, error), context.channel)
    }

    /// What came with the pong has been received, and was sent before it or together with it.
    private func answered() {
        let ends = watch.answered()
        receiver.pingAnswered()
        if ends { receiver.silenceChanged(false) }
    }

    /// Returns whether the pong is among it.
    private func hearControl(_ batch: borrowing ReplyBatch, _ channel: any Channel) -> Bool {
        var isAnswered = false
        batch.forEachPush { kind, _, payload in
            switch kind {
            case .pong: isAnswered = true
            case .subscribed:
                awaiting -= 1
                if awaiting == 0 { confirmed.succeed(()) }
            // Once subscribed only PING is sent: an error is its answer, as of a server that cannot save.
            case .error where awaiting == 0: isAnswered = true
            case .error:
                let text = Self.copy(payload)
                fail(RedisError(RESPError(String(buffer: text)), node: node), channel)
            case .message, .largeMessage, .patternMessage, .unsubscribed, .other: break
            }
        }
        return isAnswered
    }

    /// About every half second.
    private func ticked(_ context: ChannelHandlerContext) {
        guard context.channel.isActive, awaiting == 0 else { return }
        switch watch.tick() {
        case .none: break
        case .ping:
            receiver.pingSent()
            write(Self.ping, context)
        case .silent: receiver.silenceChanged(true)
        }
    }

    private static func copy(_ span: RawSpan) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeBytes(span)
        return buffer
    }

    private func write(_ command: RESPCommand, _ context: ChannelHandlerContext) {
        var bytes = context.channel.allocator.buffer(capacity: 64)
        command.encode(into: &bytes)
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    private func fail(_ error: RedisError, _ channel: any Channel) {
        if failure == nil { failure = error }
        confirmed.fail(error)
        channel.close(promise: nil)
    }
}
