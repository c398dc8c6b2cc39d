package import NIOCore

/// A command of one word and a key, or of one word alone, whose beginning is always the same.
package struct PipelinedCommand: Sendable {
    package let name: String
    fileprivate let head: [UInt8]

    private init(_ name: String, takesKey: Bool) {
        self.name = name
        head = Array("*\(takesKey ? 2 : 1)\r\n$\(name.utf8.count)\r\n\(name)\r\n".utf8)
    }

    package static let pttl = PipelinedCommand("PTTL", takesKey: true)
    package static let pexpiretime = PipelinedCommand("PEXPIRETIME", takesKey: true)
    package static let time = PipelinedCommand("TIME", takesKey: false)
    package static let asking = PipelinedCommand("ASKING", takesKey: false)
}

/// Many short commands as one write, encoded as they are added: a command of its own for each would
/// cost more than the question.
package struct RESPPipeline: Sendable {
    package private(set) var bytes: ByteBuffer
    /// How many replies will come.
    package private(set) var count = 0
    /// The last command's name, for an error about it.
    package private(set) var name = ""

    package init(reserving capacity: Int = 0) {
        bytes = ByteBufferAllocator().buffer(capacity: capacity)
    }

    package init(_ commands: [RESPCommand]) {
        self.init(reserving: 64 * commands.count)
        for command in commands { command.encode(into: &bytes) }
        count = commands.count
        name = commands.first?.name ?? ""
    }

    /// Adds a command that takes no key.
    package mutating func append(_ command: PipelinedCommand) {
        bytes.writeBytes(command.head)
        count += 1
        name = command.name
    }

    package mutating func append(_ command: PipelinedCommand, _ key: RawSpan) {
        bytes.writeBytes(command.head)
        bytes.writeStaticString("$")
        writeDecimal(key.byteCount)
        bytes.writeStaticString("\r\n")
        bytes.writeBytes(key)
        bytes.writeStaticString("\r\n")
        count += 1
        name = command.name
    }

    private mutating func writeDecimal(_ number: Int) {
        var divisor = 1
        while number / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            bytes.writeInteger(UInt8(ascii: "0") + UInt8(number / divisor % 10))
            divisor /= 10
        }
    }
}
