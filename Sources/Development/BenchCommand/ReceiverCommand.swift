import ArgumentParser
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A receiver of webhooks that takes each of them, in a process of its own.
struct ReceiverCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "receiver", abstract: "Answers each request with 204, and GET /counts with how many there were.",
        shouldDisplay: false)

    @Option(help: "Its port on this machine, which it prints; 0 for a free one.") var port = 0

    @concurrent func run() async throws {
        let received = ReceivedWebhooks()
        // One thread: what posts is to have the other core.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let listener = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    // No client here sends a request before it has the last answer.
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(withPipeliningAssistance: false)
                    try channel.pipeline.syncOperations.addHandler(ReceiverHandler(received))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        Console.show("\(listener.localAddress?.port ?? 0)")
        // It ends with the process that started it.
        try await listener.closeFuture.get()
    }
}

/// One connection, kept open for webhooks.
private final class ReceiverHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let received: ReceivedWebhooks
    private var head: HTTPRequestHead?
    private var bytes = 0

    init(_ received: ReceivedWebhooks) { self.received = received }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            bytes = 0
        case .body(let part): bytes += part.readableBytes
        case .end:
            guard let head else { return }
            if head.method == .GET, head.uri == "/counts" { tell(context) } else { take(head, context) }
        }
    }

    private func take(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        received.add(head.headers.first(name: "webhook-id") ?? "", bytes: bytes)
        let answer = HTTPResponseHead(version: .http1_1, status: .noContent)
        context.write(wrapOutboundOut(.head(answer)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    /// Closes the connection: its reader takes the end of it for that of the answer.
    private func tell(_ context: ChannelHandlerContext) {
        let body = ByteBuffer(string: received.counts.text)
        let headers: HTTPHeaders = ["content-length": "\(body.readableBytes)", "connection": "close"]
        let answer = HTTPResponseHead(version: .http1_1, status: .ok, headers: headers)
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.whenComplete { [channel = context.channel] _ in channel.close(promise: nil) }
        context.write(wrapOutboundOut(.head(answer)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: written)
    }
}

/// What all connections have brought.
private final class ReceivedWebhooks: Sendable {
    private struct State {
        var counts = WebhookCounts()
        var ids: Set<String> = []
        var first: ContinuousClock.Instant?
    }

    private let state = Mutex(State())

    var counts: WebhookCounts { state.withLock { $0.counts } }

    func add(_ id: String, bytes: Int) {
        let now = ContinuousClock.now
        state.withLock { state in
            let first = state.first ?? now
            state.first = first
            state.ids.insert(id)
            state.counts.requests += 1
            state.counts.distinct = state.ids.count
            state.counts.bytes += bytes
            state.counts.elapsed = now - first
        }
    }
}
