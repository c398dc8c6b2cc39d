import NIOCore
import NIOPosix

/// A TCP relay before a server, which does to the traffic what networks do.
///
/// It lives on one event loop of its own, away from Swift's cooperative pool.
final class FaultProxy: Sendable {
    enum Mode: Sendable, Equatable {
        case pass
        /// Replies come so much later.
        case delay(Duration)
        /// Nothing comes through either way, and neither end is told. Connections that lost bytes are closed
        /// when it ends.
        case blackHole
        /// So many replies come through. The next request reaches the server and is done; its reply is
        /// swallowed, the connection cut, and from then on all pass again.
        case cut(afterReplies: Int)
        /// So many replies come through. The next one is kept until ``letGo()``; everything else passes.
        case hold(afterReplies: Int)
    }

    /// What is known of one relayed connection; belongs to the loop.
    final class Link {
        var client: (any Channel)?
        var server: (any Channel)?
        /// A request went to the server and no byte of the reply has come.
        var awaitsReply = true
        var hasLostBytes = false
        /// A reply that is kept from the client.
        var held: ByteBuffer?

        func close() {
            client?.close(promise: nil)
            server?.close(promise: nil)
        }
    }

    struct Book {
        var mode = Mode.pass
        var links: [ObjectIdentifier: Link] = [:]
        var repliesLeft = 0
        var cuts = 0
        var accepted = 0
    }

    let port: Int
    private let group: MultiThreadedEventLoopGroup
    private let listener: any Channel
    private let book: NIOLoopBoundBox<Book>

    private init(
        group: MultiThreadedEventLoopGroup, listener: any Channel, book: NIOLoopBoundBox<Book>, port: Int
    ) {
        self.group = group
        self.listener = listener
        self.book = book
        self.port = port
    }

    /// A relay to a port of this machine, on a port of its own.
    static func start(to target: Int) async throws -> FaultProxy {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let book = NIOLoopBoundBox.makeBoxSendingValue(Book(), eventLoop: loop)
        let listener = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 128)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { client in
                client.eventLoop.makeCompletedFuture {
                    let link = Link()
                    link.client = client
                    book.value.accepted += 1
                    book.value.links[ObjectIdentifier(link)] = link
                    try client.pipeline.syncOperations.addHandler(RelayLeg(link, .request, book))
                    dial(target, for: link, client, book)
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return FaultProxy(group: group, listener: listener, book: book, port: listener.localAddress?.port ?? 0)
    }

    private static func dial(_ target: Int, for link: Link, _ client: any Channel, _ book: NIOLoopBoundBox<Book>) {
        let bound = NIOLoopBound(link, eventLoop: client.eventLoop)
        ClientBootstrap(group: client.eventLoop)
            .channelOption(.autoRead, value: false)
            .channelInitializer { server in
                server.eventLoop.makeCompletedFuture {
                    bound.value.server = server
                    try server.pipeline.syncOperations.addHandler(RelayLeg(bound.value, .reply, book))
                }
            }
            .connect(host: "127.0.0.1", port: target)
            .assumeIsolated().whenComplete { result in
                switch result {
                case .success(let server):
                    for channel in [client, server] {
                        channel.setOption(.autoRead, value: true).assumeIsolated().whenFailure { _ in link.close() }
                    }
                case .failure: link.close()
                }
            }
    }

    /// From now on.
    func set(_ mode: Mode) async throws {
        try await group.next().submit {
            self.book.value.mode = mode
            switch mode {
            case .cut(let replies), .hold(let replies): self.book.value.repliesLeft = replies
            case .pass, .delay, .blackHole: break
            }
            for link in self.book.value.links.values where mode != .blackHole && link.hasLostBytes { link.close() }
        }.get()
    }

    /// What was kept in mode `hold` comes through now.
    func letGo() async throws {
        try await group.next().submit {
            for link in self.book.value.links.values {
                guard let held = link.held else { continue }
                link.client?.writeAndFlush(held, promise: nil)
                link.held = nil
                link.awaitsReply = false
            }
        }.get()
    }

    /// Replies that are kept now.
    var heldReplies: Int {
        get async throws {
            try await group.next().submit { self.book.value.links.values.count { $0.held != nil } }.get()
        }
    }

    /// Cuts every connection now.
    func cutAll() async throws {
        try await group.next().submit { for link in self.book.value.links.values { link.close() } }.get()
    }

    /// How often a connection was cut in mode `cut`.
    var cuts: Int {
        get async throws { try await group.next().submit { self.book.value.cuts }.get() }
    }

    /// Connections that are open now.
    var openConnections: Int {
        get async throws { try await group.next().submit { self.book.value.links.count }.get() }
    }

    /// Connections that were ever accepted.
    var acceptedConnections: Int {
        get async throws { try await group.next().submit { self.book.value.accepted }.get() }
    }

    func shutDown() async {
        try? await listener.close()
        try? await cutAll()
        try? await group.shutdownGracefully()
    }
}

/// One direction of a relayed connection.
private final class RelayLeg: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    enum Direction { case request, reply }

    private let link: FaultProxy.Link
    private let direction: Direction
    private let book: NIOLoopBoundBox<FaultProxy.Book>

    init(_ link: FaultProxy.Link, _ direction: Direction, _ book: NIOLoopBoundBox<FaultProxy.Book>) {
        self.link = link
        self.direction = direction
        self.book = book
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        if direction == .reply, link.held != nil {
            link.held?.writeImmutableBuffer(bytes)
            return
        }
        switch book.value.mode {
        case .blackHole:
            link.hasLostBytes = true
        case .delay(let delay) where direction == .reply:
            let peer = link.client
            context.eventLoop.scheduleTask(in: TimeAmount(delay)) { peer?.writeAndFlush(bytes, promise: nil) }
        case .cut where direction == .reply && link.awaitsReply:
            guard book.value.repliesLeft == 0 else {
                book.value.repliesLeft -= 1
                return relay(bytes)
            }
            book.value.cuts += 1
            book.value.mode = .pass
            link.close()
        case .hold where direction == .reply && link.awaitsReply:
            guard book.value.repliesLeft == 0 else {
                book.value.repliesLeft -= 1
                return relay(bytes)
            }
            link.held = bytes
            book.value.mode = .pass
        case .pass, .delay, .cut, .hold: relay(bytes)
        }
    }

    private func relay(_ bytes: ByteBuffer) {
        link.awaitsReply = direction == .request
        (direction == .request ? link.server : link.client)?.writeAndFlush(bytes, promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if book.value.mode == .blackHole {
            // Not even the end of a connection comes through.
            link.hasLostBytes = true
            (direction == .request ? link.client = nil : (link.server = nil))
            if link.client == nil, link.server == nil { book.value.links[ObjectIdentifier(link)] = nil }
        } else {
            book.value.links[ObjectIdentifier(link)] = nil
            link.close()
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
