import ExpirationStream
import Lapse

/// Which stream gets the expirations.
enum Streaming: OptionGroupTable {
    static let stream = Setting.text(
        OptionRow(
            name: "stream", value: "key",
            help: "Instead of --handler: append each expiration once to this stream, for any number of workers."))
    static let partitions = Setting.number(
        OptionRow(
            name: "partitions", value: "n",
            help: "Streams that share the expirations, spread over the masters of a cluster.", standard: "1"),
        1...StreamKeys.limit)
    static let limit = Setting.number(
        OptionRow(
            name: "stream-maxlen", value: "n",
            help: "The most entries of each; the oldest make room, read or not. 0 for no bound.", standard: "0"),
        0...1_000_000_000)
    static let replicas = Setting.number(
        OptionRow(
            name: "stream-wait", value: "n",
            help: "How many replicas of the master must have an entry before it counts as handled.", standard: "0"),
        0...16)
    static let retain = Setting.duration(
        OptionRow(
            name: "stream-retain", value: "duration",
            help: "For how long appended entries are kept, for a master that is promoted without them.",
            standard: "30s"))
    static let rows = [stream.row, partitions.row, limit.row, replicas.row, retain.row]

    /// Nil without --stream.
    static func destination(_ values: OptionValues) throws(Failure) -> StreamDestination? {
        guard let key = try values(stream) else {
            if let lonely = rows.dropFirst().first(where: { values.isGiven($0) }) {
                throw Failure.usage("\(lonely.flag) is about a stream, and there is none: give --stream KEY")
            }
            return nil
        }
        let count = try values(partitions) ?? 1
        let keys: StreamKeys
        do throws(StreamKeys.Unusable) { keys = try StreamKeys(key, partitions: count) } catch {
            throw Failure.usage("--stream: the key \(key) \(error)")
        }
        var destination = StreamDestination(keys)
        if let value = try values(limit) { destination.limit = value }
        if let value = try values(replicas) { destination.replicas = value }
        if let value = try values(retain) { destination.retain = value }
        return destination
    }
}
