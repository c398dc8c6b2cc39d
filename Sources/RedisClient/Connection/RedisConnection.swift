import Endpoints
package import NIOCore
import NIOPosix
package import RESP

/// One pipelined connection to one node, logged in and named.
package final class RedisConnection: Sendable {
    package let address: NodeAddress
    let channel: any Channel
    let handler: NIOLoopBound<CommandHandler>
    private let commandTimeout: Duration
    /// What the server on this connection has been found to be. It cannot become another process.
    let identities: NIOLoopBoundBox<[ServerIdentity]>

    private init(address: NodeAddress, channel: any Channel, handler: NIOLoopBound<CommandHandler>, timeout: Duration) {
        self.address = address
        self.identities = .makeBoxSendingValue([], eventLoop: channel.eventLoop)
        self.channel = channel
        self.handler = handler
        self.commandTimeout = timeout
    }

    /// Connects, logs in and names the connection. Fails with ``RedisError``.
    package static func connect(
        to address: NodeAddress, settings: ConnectionSettings, on loop: any EventLoop
    ) -> EventLoopFuture<RedisConnection> {
        connect(to: address, settings: settings, on: loop, ConnectionAttempt(on: loop))
    }

    /// The same, as long as the attempt is not given up.
    static func connect(
        to address: NodeAddress, settings: ConnectionSettings, on loop: any EventLoop, _ attempt: ConnectionAttempt
    ) -> EventLoopFuture<RedisConnection> {
        open(address, settings, on: loop, attempt).flatMapError { error in
            guard !attempt.isGivenUp else {
                return loop.makeFailedFuture(RedisError(.closed, node: address, "the client is shut down"))
            }
            return WrongPort.explain(error, address, settings, on: loop, attempt).flatMapThrowing { throw $0 }
        }
    }

    static func open(
        _ address: NodeAddress, _ settings: ConnectionSettings, on loop: any EventLoop, _ attempt: ConnectionAttempt
    ) -> EventLoopFuture<RedisConnection> {
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(TimeAmount(settings.connectTimeout))
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try attempt.adopt(channel)
                    if let tls = settings.tls {
                        try channel.pipeline.syncOperations.addHandler(tls.handler(for: address.host))
                    }
                    let handler = CommandHandler(
                        node: address, replyBytes: settings.replyBytes, on: channel.eventLoop)
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
        return bootstrap.connect(to: address)
            .flatMapErrorThrowing { error in throw unreachable(address, error) }
            .flatMap { channel in
                do {
                    let handler = try channel.pipeline.syncOperations.handler(type: CommandHandler.self)
                    let connection = RedisConnection(
                        address: address, channel: channel, handler: NIOLoopBound(handler, eventLoop: loop),
                        timeout: settings.commandTimeout)
                    return connection.logIn(settings).map { connection }
                        .flatMapError { error in
                            channel.close(promise: nil)
                            return loop.makeFailedFuture(error)
                        }
                } catch {
                    return loop.makeFailedFuture(unreachable(address, error))
                }
            }
    }

    /// Sends the commands in one write; the replies come in order. Error replies are values, not thrown.
    package func send(_ commands: [RESPCommand], timeout: Duration? = nil) -> EventLoopFuture<[RESPValue]> {
        let timeout = timeout ?? commandTimeout
        guard !channel.eventLoop.inEventLoop else { return handler.value.send(commands, timeout: timeout) }
        return channel.eventLoop.flatSubmit { self.handler.value.send(commands, timeout: timeout) }
    }

    package func send(_ pipeline: RESPPipeline, timeout: Duration? = nil) -> EventLoopFuture<[RESPValue]> {
        let timeout = timeout ?? commandTimeout
        guard !channel.eventLoop.inEventLoop else { return handler.value.send(pipeline, timeout: timeout) }
        return channel.eventLoop.flatSubmit { self.handler.value.send(pipeline, timeout: timeout) }
    }

    package var isActive: Bool { channel.isActive }
    package var closed: EventLoopFuture<Void> { channel.closeFuture }

    package func close() { channel.close(promise: nil) }

    /// Without the goodbye of a peer that may be dead. On the event loop only.
    func closeAtOnce() { channel.closeAtOnce() }

    private func logIn(_ settings: ConnectionSettings) -> EventLoopFuture<Void> {
        guard settings.mayBeOpen, settings.credentials != nil else { return handshake(settings) }
        // Asked first: a server that needs no password is told none.
        let questions = [RESPCommand("PING"), RESPCommand("SENTINEL", "MASTER", "")]
        return handler.value.send(questions, timeout: settings.connectTimeout).flatMap { replies in
            var settings = settings
            if Handshake.letsIn(replies) { settings.credentials = nil }
            return self.handshake(settings)
        }
    }

    private func handshake(_ settings: ConnectionSettings) -> EventLoopFuture<Void> {
        let commands = Handshake.commands(settings)
        return handler.value.send(commands, timeout: settings.connectTimeout).flatMapThrowing { replies in
            try Handshake.check(replies, settings, node: self.address)
        }.flatMapErrorThrowing { error in
            guard (error as? RedisError)?.kind == .timeout else { throw error }
            throw RedisError(
                .timeout, node: self.address,
                "it takes the connection and answers nothing within \(settings.connectTimeout): is it frozen, or no Redis?"
            )
        }
    }

    static func unreachable(_ address: NodeAddress, _ error: any Error) -> RedisError {
        if let error = error as? RedisError { return error }
        if let explained = TLSSettings.explain(error) { return RedisError(.tls, node: address, explained) }
        return RedisError(.unreachable, node: address, ConnectionTrouble.cannotConnect(error))
    }
}

/// What a new connection says before anything else.
enum Handshake {
    static func commands(_ settings: ConnectionSettings) -> [RESPCommand] {
        var commands: [RESPCommand] = []
        if let credentials = settings.credentials {
            let password = credentials.password.reveal
            commands.append(credentials.user.map { RESPCommand("AUTH", $0, password) } ?? RESPCommand("AUTH", password))
        }
        // Naming is a courtesy to the operator: a refusal is no reason to stop. PING tells whether we may
        // speak at all.
        commands.append(RESPCommand("CLIENT", "SETNAME", settings.clientName))
        commands.append(settings.database == 0 ? RESPCommand("PING") : RESPCommand("SELECT", "\(settings.database)"))
        return commands
    }

    /// Whether a server that was told no password answers all the same, other errors included.
    static func letsIn(_ replies: [RESPValue]) -> Bool {
        !replies.contains { ["NOAUTH", "NOPERM"].contains($0.error?.code) }
    }

    static func check(_ replies: [RESPValue], _ settings: ConnectionSettings, node: NodeAddress) throws {
        for (index, reply) in replies.enumerated() {
            guard case .error(let error) = reply else { continue }
            if index == replies.count - 2 && error.code != "NOAUTH" { continue }  // CLIENT SETNAME
            // A server that cannot save refuses PING as well, and goes on announcing.
            if ["LOADING", "MASTERDOWN", "BUSY", "MISCONF"].contains(error.code) {
                guard index == replies.count - 1, settings.database != 0 else { continue }
                // Without its SELECT the connection would stand in database 0. Another attempt may be let in.
                throw RedisError(.closed, node: node, error.text)
            }
            if error.text.contains("without any password configured") {
                throw RedisError(
                    .denied, node: node, "a password is given but the server has none: remove it, or set requirepass")
            }
            throw RedisError(error, node: node)
        }
    }
}
