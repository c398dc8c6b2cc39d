import NIOCore
import RESP
import Timing

/// The listening end of a subscription.
final class SubscriberHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
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
    private let gathering: TimeAmount
    private var lastRead = NIODeadline.uptimeNanoseconds(0)
    private var isReadPlanned = false
    private var watch = PingWatch()
    private static let ping = RESPCommand("PING")
    private static let beat = SharedTick(every: .milliseconds(500))

    init(
        node: NodeAddress, channels: [String], receiver: any PushReceiver, confirmed: EventLoopPromise<Void>,
        timeout: Duration, messageBytes: Int, gathering: Duration
    ) {
        self.gathering = TimeAmount(gathering)
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

    /// The channel asks to be read again after each read.
    func read(context: ChannelHandlerContext) {
        guard gathering > .zero else { return context.read() }
        guard !isReadPlanned else { return }
        let now = NIODeadline.now()
        guard now < lastRead + gathering else {
            lastRead = now
            return context.read()
        }
        isReadPlanned = true
        let context = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.value.eventLoop.assumeIsolated().scheduleTask(deadline: lastRead + gathering) {
            self.isReadPlanned = false
            self.lastRead = .now()
            context.value.read()
        }
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
