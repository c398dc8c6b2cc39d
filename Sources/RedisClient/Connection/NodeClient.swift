package import NIOCore
package import RESP
import Synchronization

/// Commands to one node over one connection that is made when needed and made anew when it breaks.
///
/// While a reconnect waits its turn (exponential backoff), commands fail at once with the last error: callers decide
/// when to try again, and nothing piles up.
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
    /// `timeout` covers the making of the connection too: what was not sent by then is not sent at all. A cancelled task
    /// waits no longer; what it sent may be applied.
    package func send(_ commands: [RESPCommand], timeout: Duration? = nil) async throws(RedisError) -> [RESPValue] {
        let replies = loop.makePromise(of: [RESPValue].self)
        if loop.inEventLoop, case .connected(let connection) = state.value.link, connection.isActive {
            // The usual case costs no hop and one timer, the connection's own.
            connection.send(commands, timeout: timeout ?? settings.commandTimeout).cascade(to: replies)
        } else {
            connectAndSend(commands, timeout, replies)
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
        _ commands: [RESPCommand], _ timeout: Duration?, _ replies: EventLoopPromise<[RESPValue]>
    ) {
        let limit = timeout ?? settings.connectTimeout + settings.commandTimeout
        let deadline = NIODeadline.now() + TimeAmount(limit)
        let late = RedisError(
            .timeout, node: address, "\(commands.first?.name ?? "a command") was not answered within \(limit)")
        let timer = loop.scheduleTask(deadline: deadline) { replies.fail(late) }
        replies.futureResult.whenComplete { _ in timer.cancel() }
        loop.flatSubmit {
            self.connection().flatMap { connection in
                let left = deadline - .now()
                guard left > .zero else { return self.loop.makeFailedFuture(late) }
                return connection.send(commands, timeout: min(Duration(left), timeout ?? self.settings.commandTimeout))
            }
        }.cascade(to: replies)
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
                connection.close()
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

/// The node clients of one purpose, one for each address, made on first use.
package final class NodeDirectory: Sendable {
    private let settings: ConnectionSettings
    private let loops: any EventLoopGroup
    private let clients = Mutex<[NodeAddress: NodeClient]>([:])

    package init(settings: ConnectionSettings, on loops: any EventLoopGroup) {
        self.settings = settings
        self.loops = loops
    }

    package subscript(_ address: NodeAddress) -> NodeClient {
        clients.withLock { clients in
            if let client = clients[address] { return client }
            let client = NodeClient(address, settings: settings, on: loops.next())
            clients[address] = client
            return client
        }
    }

    /// Closes and forgets the clients of nodes that have left.
    package func keep(only addresses: Set<NodeAddress>) async {
        let gone = clients.withLock { clients in
            let gone = clients.filter { !addresses.contains($0.key) }
            for address in gone.keys { clients[address] = nil }
            return gone.values
        }
        // At once: a frozen node takes its time, and one after the other would hold up the end of the process.
        await withDiscardingTaskGroup { group in
            for client in gone { group.addTask { await client.shutDown() } }
        }
    }

    package func shutDown() async { await keep(only: []) }
}
