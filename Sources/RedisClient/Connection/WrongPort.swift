import NIOCore

/// Tells a port of the other kind (TLS where plain text was tried, or the reverse) from a server that
/// is in trouble.
///
/// A TLS port hangs up on plain text, and a plain port waits for ever for the line that a TLS greeting
/// never ends. So does a server that restarts or is frozen. Therefore the port is tried once more, the
/// other way.
enum WrongPort {
    /// The error that tells what to mend, or the one given.
    static func explain(
        _ error: any Error, _ address: NodeAddress, _ settings: ConnectionSettings, on loop: any EventLoop,
        _ attempt: ConnectionAttempt
    ) -> EventLoopFuture<any Error> {
        guard let error = error as? RedisError, let other = other(error, settings) else {
            return loop.makeSucceededFuture(error)
        }
        return tryAgain(error, other, address, settings, on: loop, attempt).flatMap { explained in
            guard explained.saysNoReason else { return loop.makeSucceededFuture(explained) }
            return Greeting.listen(at: address, on: loop, attempt).map { $0 ?? explained }
        }
    }

    private static func tryAgain(
        _ error: RedisError, _ other: ConnectionSettings, _ address: NodeAddress, _ settings: ConnectionSettings,
        on loop: any EventLoop, _ attempt: ConnectionAttempt
    ) -> EventLoopFuture<RedisError> {
        let fix =
            settings.tls == nil
            ? "the server speaks TLS on this port: use rediss://"
            : "the server does not speak TLS on this port: use redis:// or its TLS port"
        return RedisConnection.open(address, other, on: loop, attempt).map { connection in
            connection.close()
            return true
        }.flatMapErrorThrowing { second in
            answered((second as? RedisError)?.kind)
        }.map { answered in
            answered ? RedisError(.tls, node: address, fix) : error
        }
    }

    /// How to try the port the other way; nil where the error has another cause.
    private static func other(_ error: RedisError, _ settings: ConnectionSettings) -> ConnectionSettings? {
        guard error.kind != .closed || error.saysNoReason else { return nil }
        var other = ConnectionSettings(clientName: settings.clientName)
        other.connectTimeout = min(settings.connectTimeout, .milliseconds(500))
        switch (error.kind, isEncrypted: settings.tls != nil) {
        case (.timeout, true), (.closed, true): return other
        case (.closed, false), (.protocolViolation, false):
            other.tls = try? TLSSettings.trustingAnyone()
            return other.tls == nil ? nil : other
        default: return nil
        }
    }

    /// Whether an attempt without credentials shows that the port speaks what was tried.
    private static func answered(_ kind: RedisError.Kind?) -> Bool {
        switch kind {
        case .denied, .reply: true
        default: false
        }
    }
}
