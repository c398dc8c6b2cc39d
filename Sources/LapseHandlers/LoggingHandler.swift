package import Lapse
import Logging

/// Logs every expiration: the handler for a first look, and for those who want nothing but the log.
package struct LoggingHandler: Sendable {
    package init() {}

    /// The context's logger carries key, node and term.
    @Sendable package func callAsFunction(_ expiration: Expiration, _ context: HandlerContext) async throws {
        context.logger.info("expiration handled", metadata: ["origin": "\(expiration.origin.rawValue)"])
    }
}
