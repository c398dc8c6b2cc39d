public import LeaderElection
public import Logging
public import NIOCore
public import NIOPosix

/// The lease in an etcd cluster (3.3 or later): one register, since etcd is replicated and linearizable
/// itself.
///
/// A claim is a key under a lease of etcd's; its fencing token is the revision at which the key was
/// created, which grows with every write to the cluster. etcd counts leases in whole seconds, and none
/// shorter than one and a half of its election timeouts (2 s by default): a lease of 1.5 s is one of 2
/// s there, so a follower takes over up to a second later after a crash, never earlier. After a change
/// of etcd's own leader all leases start anew. Restoring a backup of etcd turns its revision back, and
/// with it the token: raise it then (`etcdutl snapshot restore --bump-revision`).
public final class EtcdLeaseStore: LeaseStore {
    private let gateway: EtcdGateway
    private let watch: EtcdWatch
    private let prefix: String

    /// The cluster's only vote.
    public let registers: [any LeaseRegister]

    /// All four.
    public let capabilities: StoreCapabilities = [.fencing, .serverTime, .push, .linearizable]

    /// A store for one replica and one election. Nothing is contacted yet.
    ///
    /// - Parameters:
    ///   - configuration: where etcd is and how to log in.
    ///   - name: the election's name, the same as in the elector's configuration.
    ///   - eventLoopGroup: where requests run; nothing may ever block it.
    ///   - logger: where the store's lines go.
    public init(
        configuration: EtcdConfiguration, name: String,
        eventLoopGroup: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton, logger: Logger
    ) {
        let keys = EtcdKeys(prefix: configuration.prefix, name: name)
        prefix = configuration.prefix
        gateway = EtcdGateway(configuration, on: eventLoopGroup, logger: logger)
        watch = EtcdWatch(gateway: gateway, key: keys.lock, logger: logger)
        registers = [EtcdLeaseRegister(name: name, keys: keys, gateway: gateway, logger: logger)]
    }

    /// The prefix: replicas under another one would elect a leader of their own.
    public var naming: String { "etcd:\(prefix)" }

    /// Signals each end of a lock, from a watch that misses none, over reconnections too.
    public func wakeUps() -> AsyncStream<WakeUp> {
        AsyncStream { await self.watch.next() }
    }

    /// Closes the connections, also in a task that is cancelled. Called once, after the elector's `run`
    /// returned.
    public func shutDown() async {
        watch.stop()
        await gateway.shutDown()
    }
}
