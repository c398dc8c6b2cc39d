package import RESP
import Synchronization

/// A Lua script, sent by its digest once a server has told it, and in full where a server does not know
/// it.
///
/// The digest comes from the first server's own `SCRIPT LOAD`, so no hash function is needed here.
package final class Script: Sendable {
    private let source: String
    private let digest = Mutex<String?>(nil)

    package init(_ source: String) { self.source = source }

    /// The commands for one call; the last reply is the script's.
    ///
    /// - Parameter rest: further arguments, encoded already.
    package func commands(
        keys: [[UInt8]], arguments: [[UInt8]], rest: RESPCommand = RESPCommand(), inFull: Bool
    ) -> [RESPCommand] {
        let known = digest.withLock { $0 }
        if let known, !inFull { return [call("EVALSHA", known, keys, arguments, rest)] }
        return [RESPCommand("SCRIPT", "LOAD", source), call("EVAL", source, keys, arguments, rest)]
    }

    /// Learns the digest from the replies; returns the script's own reply.
    package func learn(from replies: [RESPValue]) -> RESPValue {
        if replies.count == 2, let told = replies[0].string, told.utf8.count == 40 { digest.withLock { $0 = told } }
        return replies.last ?? .null
    }

    private func call(
        _ verb: String, _ body: String, _ keys: [[UInt8]], _ arguments: [[UInt8]], _ rest: RESPCommand
    ) -> RESPCommand {
        var command = RESPCommand(verb, body, "\(keys.count)")
        for key in keys { command.append(key) }
        for argument in arguments { command.append(argument) }
        command.append(contentsOf: rest)
        return command
    }
}
