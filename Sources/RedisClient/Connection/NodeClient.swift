import Endpoints
package import NIOCore
package import RESP
import Timing

/// Commands to one node over one connection that is made when needed and made anew when it breaks.
///
/// While a reconnect waits its turn (exponential backoff), commands fail at once with the last error:
/// callers decide when to try again, and nothing piles up.
package final class NodeClient: Sendable {
    private enum Link {
        case idle(retryAt: NIODeadline, last: RedisError?)
        case connecting(EventLoopFuture<RedisConnection>, ConnectionAttempt)
        case connected(RedisConnection)
        case shutDown
    }

    private struct State {
        var link = Link.idle(retryAt: .uptimeNanoseconds(0), last: nil)
        var backoff = Backoff()
    }

    package let address: NodeAddress
    package let settings: ConnectionSettings
    package let loop: any EventLoop
    private let state: NIOLoopBoundBox<State>

    package init(_ address: NodeAddress, settings: ConnectionSettings, on loop: any EventLoop) {
        self.address = address
        self.settings = settings
        self.loop = loop
        self.state = .makeBoxSendingValue(State(), eventLoop: loop)
    }

    /// Sends the commands in one write. Error replies are values; a connection's failure is thrown.
    ///
    /// `timeout` covers the making of the connection too: what was not sent by then is not sent at all. A
    /// cancelled task waits no longer; what it sent may be applied.
    ///
    /// - Parameter identity: the server that must answer. When another server does, nothing is sent to it,
    ///   the connection is closed, and ``RedisError/Kind/otherServer`` is thrown: the next attempt finds
    ///   out anew where the address leads.
    package func send(
        _ commands: [RESPCommand], to identity: ServerIdentity? = nil, timeout: Duration? = nil
    ) async throws(RedisError) -> [RESPValue] {
        try await send(identity, timeout, name: commands.first?.name) { $0.send(commands, timeout: $1) }
    }

    /// The same for commands that are encoded already.
    package func send(
        _ pipeline: RESPPipeline, to identity: ServerIdentity? = nil, timeout: Duration? = nil
    ) async throws(RedisError) -> [RESPValue] {
        try await send(identity, timeout, name: pipeline.name) { $0.send(pipeline, timeout: $1) }
    }

    private func send(
        _ identity: ServerIdentity?, _ timeout: Duration?, name: @autoclosure @escaping @Sendable () -> String?,
        _ write: @escaping @Sendable (RedisConnection, Duration) -> EventLoopFuture<[RESPValue]>
    ) async throws(RedisError) -> [RESPValue] {
        let replies = loop.makePromise(of: [RESPValue].self)
        if loop.inEventLoop, case .connected(let connection) = state.value.link, connection.isActive,
            identity.map({ connection.identities.value.contains($0) }) ?? true
        {
            // The usual case costs no hop and one timer, the connection's own.
            write(connection, timeout ?? settings.commandTimeout).cascade(to: replies)
        } else {
            connectAndSend(name() ?? "a command", identity, timeout, replies, write)
        }
        do {
            return try await withTaskCancellationHandler {
                try await replies.futureResult.get()
            } onCancel: {
                replies.fail(RedisError(.closed, node: address, "cancelled"))
            }
        } catch let error as RedisError {
            throw error
        } catch {
            throw RedisError(.closed, node: address, ConnectionTrouble.text(error))
        }
    }

    private func connectAndSend(
        _ name: String, _ identity: ServerIdentity?, _ timeout: Duration?, _ replies: EventLoopPromise<[RESPValue]>,
        _ write: @escaping @Sendable (RedisConnection, Duration) -> EventLoopFuture<[RESPValue]>
    ) {
        let limit = timeout ?? settings.connectTimeout + settings.commandTimeout
        let deadline = NIODeadline.now() + TimeAmount(limit)
        let late = RedisError(.timeout, node: address, "\(name) was not answered within \(limit)")
        let timer = loop.scheduleTask(deadline: deadline) { replies.fail(late) }
        replies.futureResult.whenComplete { _ in timer.cancel() }
        loop.flatSubmit {
            self.connection().flatMap { connection in
                self.verify(identity, connection, until: deadline).map { connection }
            }.flatMap { connection in
                let left = deadline - .now()
                guard left > .zero else { return self.loop.makeFailedFuture(late) }
                return write(connection, min(Duration(left), timeout ?? self.settings.commandTimeout))
            }
        }.cascade(to: replies)
    }

    /// Asks for the server's identity, once for each connection, and closes it when that is another server.
    private func verify(
        _ identity: ServerIdentity?, _ connection: RedisConnection, until deadline: NIODeadline
    ) -> EventLoopFuture<Void> {
        guard let identity, !connection.identities.value.contains(identity) else {
            return loop.makeSucceededVoidFuture()
        }
        let left = deadline - .now()
        guard left > .zero else {
            return loop.makeFailedFuture(RedisError(.timeout, node: address, "connected too late"))
        }
        return connection.send([identity.question], timeout: min(Duration(left), settings.commandTimeout))
            .flatMapThrowing { replies in
                if case .error(let error)? = replies.first { throw RedisError(error, node: self.address) }
                guard let told = replies.first.flatMap(identity.told), told == identity else {
                    let who = replies.first.flatMap(identity.told)?.id ?? "a server that does not say who it is"
                    connection.close()
                    throw RedisError(
                        .otherServer, node: self.address,
                        "another server answers at this address: \(who) instead of \(identity.id)")
                }
                connection.identities.value.append(told)
            }
    }

    /// Closes the connection, if there is one; the next command makes another.
    package func reconnect() {
        loop.execute {
            if case .connected(let connection) = self.state.value.link { connection.close() }
        }
    }

    /// Sends one command; an error reply is thrown.
    package func send(_ command: RESPCommand, timeout: Duration? = nil) async throws(RedisError) -> RESPValue {
        guard let reply = try await send([command], timeout: timeout).first else {
            throw RedisError(.protocolViolation, node: address, "a reply is missing")
        }
        if case .error(let error) = reply { throw RedisError(error, node: address) }
        return reply
    }

    /// Closes the connection for good, and gives up one that is being made.
    package func shutDown() async {
        let closing = loop.submit { () -> EventLoopFuture<Void>? in
            defer { self.state.value.link = .shutDown }
            switch self.state.value.link {
            case .connected(let connection):
                connection.closeAtOnce()
                return connection.closed
            case .connecting(let future, let attempt):
                attempt.giveUp()
                return future.map { _ in }
            case .idle, .shutDown: return nil
            }
        }.flatMap { closed in closed ?? self.loop.makeSucceededVoidFuture() }
        try? await closing.get()  // A connection that fails to open or close is closed too.
    }

    private func connection() -> EventLoopFuture<RedisConnection> {
        switch state.value.link {
        case .connected(let connection) where connection.isActive: return loop.makeSucceededFuture(connection)
        case .connecting(let future, _): return future
        case .shutDown: return loop.makeFailedFuture(RedisError(.closed, node: address, "the client is shut down"))
        case .idle(let retryAt, let last?) where NIODeadline.now() < retryAt: return loop.makeFailedFuture(last)
        case .idle, .connected: break
        }
        let attempt = ConnectionAttempt(on: loop)
        let future = RedisConnection.connect(to: address, settings: settings, on: loop, attempt)
        state.value.link = .connecting(future, attempt)
        future.assumeIsolated().whenComplete { result in self.connected(result) }
        return future
    }

    private func connected(_ result: Result<RedisConnection, any Error>) {
        guard case .connecting = state.value.link else { return }  // Shut down meanwhile.
        switch result {
        case .success(let connection):
            state.value.link = .connected(connection)
            state.value.backoff.reset()
            connection.closed.assumeIsolated().whenComplete { _ in
                if case .connected(let current) = self.state.value.link, current === connection {
                    self.state.value.link = .idle(retryAt: .now(), last: nil)
                }
            }
        case .failure(let error):
            let wait = TimeAmount(state.value.backoff.next())
            state.value.link = .idle(retryAt: .now() + wait, last: RedisConnection.unreachable(address, error))
        }
    }
}
