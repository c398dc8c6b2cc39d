import NIOCore
import Synchronization

/// What one connection of the admin port may take, and how many there may be.
package struct AdminLimits: Sendable {
    /// A connection without a request, or with an unfinished one, is closed after this time.
    package var idle: Duration = .seconds(8)
    /// A connection that takes nothing of its answer is closed after this time.
    package var unread: Duration = .seconds(20)
    package var connections = 512
    /// Connections of one address; its surplus is closed.
    package var connectionsPerPeer = 64
    /// Pages that are kept up to date; each is told its share of a second once.
    package var viewers = 16

    package init() {}
}

/// Admits a connection or closes it, and closes one whose peer does not read.
final class ConnectionGuard: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    /// The shares of one port.
    final class Door: Sendable {
        private let shares: Mutex<ConnectionShares>

        init(_ limits: AdminLimits) {
            shares = Mutex(ConnectionShares(total: limits.connections, perPeer: limits.connectionsPerPeer))
        }

        func admits(_ peer: String) -> Bool { shares.withLock { $0.admits(peer) } }
        func left(_ peer: String) { shares.withLock { $0.left(peer) } }
    }

    private let door: Door
    /// The address of a connection that was admitted.
    private var peer: String?

    init(_ door: Door) { self.door = door }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { admit(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        admit(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        if let peer { door.left(peer) }
        peer = nil
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? IdleStateHandler.IdleStateEvent, event == .write else {
            return context.fireUserInboundEventTriggered(event)
        }
        context.close(promise: nil)
    }

    private func admit(_ context: ChannelHandlerContext) {
        guard peer == nil else { return }
        let address = context.remoteAddress?.ipAddress ?? ""
        guard door.admits(address) else { return context.close(promise: nil) }
        peer = address
    }
}
