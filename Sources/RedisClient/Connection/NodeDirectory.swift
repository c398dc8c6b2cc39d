package import NIOCore
import Synchronization

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

    /// The nodes that have a client.
    package var addresses: Set<NodeAddress> { clients.withLock { Set($0.keys) } }

    /// Closes and forgets the clients of nodes that have left.
    package func forget(_ addresses: Set<NodeAddress>) async {
        await remove { addresses.contains($0) }
    }

    package func shutDown() async { await remove { _ in true } }

    private func remove(where isGone: (NodeAddress) -> Bool) async {
        let gone = clients.withLock { clients in
            let gone = clients.filter { isGone($0.key) }
            for address in gone.keys { clients[address] = nil }
            return gone.values
        }
        // At once: a frozen node takes its time, and one after the other would hold up the end of the process.
        await withDiscardingTaskGroup { group in
            for client in gone { group.addTask { await client.shutDown() } }
        }
    }
}
