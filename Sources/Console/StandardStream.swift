import Glibc
package import LapseHandlers

/// Standard output and standard error, for short texts: each is one write, so that lines of many
/// threads stay whole.
package enum StandardStream: Int32, Sendable {
    /// Results.
    case output = 1
    /// Errors and logs. What cannot be written there cannot be told anywhere.
    case errors = 2

    /// Returns false when it is no longer read.
    @discardableResult
    package func write(_ bytes: [UInt8]) -> Bool { write(bytes[...]) }

    /// The same for some of an array.
    @discardableResult
    package func write(_ bytes: ArraySlice<UInt8>) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(rawValue, $0.baseAddress, $0.count) }
            if count > 0 { rest = rest.dropFirst(count) } else if errno != EINTR { return false }
        }
        return true
    }

    /// Writes text and a newline.
    @discardableResult
    package func write(_ text: String) -> Bool { write(Array(text.utf8) + [UInt8(ascii: "\n")]) }

    /// Writes a result and a newline.
    ///
    /// - Throws: ``LineOutput/Broken`` when stdout is closed or full: a result that is not delivered is no
    ///   success.
    package static func print(_ text: String) async throws {
        try await results().write(Array(text.utf8) + [UInt8(ascii: "\n")])
    }

    /// Standard output for results, with a line on stderr while it is not read.
    package static func results() -> LineOutput {
        LineOutput(onStalled: { stall in
            FatalLine.write("stdout is not read: waiting for \(stall.seconds) s", level: .warning)
        })
    }

    /// Occupies standard streams that are closed: the first socket would be opened in their place, and a
    /// result written to Redis.
    ///
    /// Closed output becomes `/dev/null` opened for reading, so that writing to it goes on being refused.
    package static func occupyClosed() {
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) == -1 {
            let opened = unsafe open("/dev/null", descriptor == STDERR_FILENO ? O_WRONLY : O_RDONLY)
            if opened >= 0, opened != descriptor {
                dup2(opened, descriptor)
                close(opened)
            }
        }
    }
}
