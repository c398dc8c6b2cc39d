import NIOCore
import NIOPosix

extension ClientBootstrap {
    /// Connects to a node. An address in numbers is not looked up: a look-up runs on a thread of its own
    /// and may end when the event loop that is to hear of it is shut down.
    func connect(to address: NodeAddress) -> EventLoopFuture<any Channel> {
        guard let numbers = try? SocketAddress(ipAddress: address.host, port: address.port) else {
            return connect(host: address.host, port: address.port)
        }
        return connect(to: numbers)
    }
}
