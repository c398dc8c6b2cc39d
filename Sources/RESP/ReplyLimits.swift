/// How much one reply may make this process hold.
///
/// A server that announces more is refused at the announcement, before any memory is taken for it.
package struct ReplyLimits: Sendable, Equatable {
    /// The largest bulk string. Redis itself accepts 512 MiB (`proto-max-bulk-len`).
    package var bulkBytes: Int
    /// The values of one reply, nested ones included.
    package var values: Int
    /// All strings of one reply together.
    package var replyBytes: Int
    /// A longer payload of a subscription's message is passed over, byte by byte as it comes, and reported
    /// by its size; nil for none. The connection stays, and so does the count of messages.
    package var messageBytes: Int?

    package init(
        bulkBytes: Int = 512 << 20, values: Int = 1 << 20, replyBytes: Int = 1 << 30, messageBytes: Int? = nil
    ) {
        precondition(
            bulkBytes >= 0 && values >= 1 && replyBytes >= 0 && messageBytes ?? 1 > 0, "a limit that is too low")
        self.messageBytes = messageBytes
        self.bulkBytes = bulkBytes
        self.values = values
        self.replyBytes = replyBytes
    }
}
