import NIOCore
import NIOSSL

/// The making of one connection, as long as it can be given up: a server that never answers must hold
/// up no other's end.
final class ConnectionAttempt: Sendable {
    private enum Phase {
        /// One channel for each address of the host that was tried, and one more to look for TLS on the wrong
        /// port.
        case underWay([any Channel])
        case givenUp
    }

    private let phase: NIOLoopBoundBox<Phase>

    init(on loop: any EventLoop) {
        phase = .makeBoxSendingValue(.underWay([]), eventLoop: loop)
    }

    var isGivenUp: Bool {
        if case .givenUp = phase.value { true } else { false }
    }

    /// A channel begins; once the attempt was given up, none does.
    func adopt(_ channel: any Channel) throws {
        guard case .underWay(let channels) = phase.value else { throw ChannelError.ioOnClosedChannel }
        phase.value = .underWay(channels + [channel])
    }

    /// Fails what is under way. Only the looking up of a name is still waited for.
    func giveUp() {
        guard case .underWay(let channels) = phase.value else { return }
        phase.value = .givenUp
        for channel in channels { channel.closeAtOnce() }
    }
}

extension Channel {
    /// Closes past the TLS handler, which would wait five seconds for the goodbye of a peer that may be
    /// dead. On the event loop only.
    func closeAtOnce() {
        let tls = try? pipeline.syncOperations.context(handlerType: NIOSSLClientHandler.self)
        if let tls { tls.close(promise: nil) } else { close(promise: nil) }
    }
}
