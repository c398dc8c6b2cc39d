import HTTPTypes
import HummingbirdTesting
import Lapse
import LapseAdmin
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// What the tests let the service say about itself.
struct StubSource: AdminSource {
    var dead: String?
    var unready: [String] = []
    var notes: [String] = []
    var figure: @Sendable () -> ViewFigures? = { nil }
    var group: GroupView?
    var status = #"{"role":"leader"}"#
    var refresh: @Sendable () -> Void = {}

    func liveness() -> String? { dead }
    func readiness() -> [String] { unready }
    func notices() -> [String] { notes }
    func figures() -> ViewFigures? { figure() }
    func view(samples: Int) async -> GroupView? { group }
    func statusJSON() -> [UInt8] { Array(status.utf8) }
    func refreshGauges() { refresh() }
}

/// An admin server on a free port, for the length of a closure.
struct RunningAdmin {
    let port: Int
    let client: TestClient

    static func run(
        _ source: StubSource = StubSource(), registry: PrometheusRegistry = PrometheusRegistry(),
        host: String = "127.0.0.1", limits: AdminLimits = .init(), _ body: (RunningAdmin) async throws -> Void
    ) async throws {
        let (ports, listening) = AsyncStream.makeStream(of: Int.self)
        let server = AdminServer(
            address: .listen(host: host, port: 0), source: source, registry: registry, limits: limits,
            logger: .silent
        ) { listening.yield($0) }
        let group = ServiceGroup(services: [server], logger: .silent)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                defer { listening.finish() }
                try await group.run()
            }
            for await port in ports.prefix(1) {
                let client = TestClient(host: host, port: port)
                client.connect()
                do {
                    try await body(RunningAdmin(port: port, client: client))
                } catch {
                    try? await client.shutdown()
                    throw error
                }
                // Left connected on purpose: an idle connection must not hold up the end.
                await group.triggerGracefulShutdown()
            }
            try await tasks.waitForAll()
        }
    }

    struct Page: Equatable {
        var status: Int
        var type: String?
        var body: String
    }

    func get(_ path: String) async throws -> Page {
        let response = try await client.execute(TestClient.Request(path, method: .get, authority: "admin"))
        return Page(
            status: response.status.code, type: response.headers[.contentType],
            body: response.body.map { String(buffer: $0) } ?? "")
    }

    /// Sends these bytes and returns what has come when `end` is in it. The connection stays open.
    func listen(_ request: String, until end: String) async throws -> String {
        let heard = MultiThreadedEventLoopGroup.singleton.any().makePromise(of: String.self)
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Listener(end: end, heard: heard))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        try await channel.writeAndFlush(ByteBuffer(string: request))
        return try await heard.futureResult.get()
    }

    private final class Listener: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let end: String
        private let heard: EventLoopPromise<String>
        private var text = ""

        init(end: String, heard: EventLoopPromise<String>) { (self.end, self.heard) = (end, heard) }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            text += String(buffer: unwrapInboundIn(data))
            if text.contains(end) { heard.succeed(text) }
        }

        func channelInactive(context: ChannelHandlerContext) { heard.fail(ChannelError.eof) }
    }

    /// Sends these bytes and returns all that comes until the server closes the connection.
    func exchange(_ request: String) async throws -> String {
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: request))
            var answer = ""
            for try await part in inbound { answer += String(buffer: part) }
            return answer
        }
    }
}

extension Logger {
    static var silent: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }
}
