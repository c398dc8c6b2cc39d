import Glibc

/// What the parent says on stderr, in the form of its worker's log: a reader of JSON finds nothing
/// else.
package struct ParentLines: Sendable {
    /// `--log-format` of the worker.
    package enum Form: String, Sendable {
        case text, json
    }

    enum Level: String {
        case warning, error
    }

    let form: Form

    func write(_ text: String, level: Level = .error) {
        var time = timespec()
        _ = unsafe clock_gettime(CLOCK_REALTIME, &time)
        let bytes = bytes(text, level, seconds: time.tv_sec, milliseconds: time.tv_nsec / 1_000_000)
        // An output that is full and not read must hold up neither a release nor a restart.
        var output = pollfd(fd: 2, events: Int16(POLLOUT), revents: 0)
        guard unsafe poll(&output, 1, 0) > 0 else { return }
        _ = unsafe Glibc.write(2, bytes, bytes.count)
    }

    /// - Parameters:
    ///   - seconds: since 1970.
    ///   - milliseconds: beside them.
    func bytes(_ text: String, _ level: Level, seconds: Int, milliseconds: Int) -> [UInt8] {
        switch form {
        case .text: Array("lapse: parent: \(text)\n".utf8)
        case .json:
            Array(
                """
                {"time":"\(Self.time(seconds, milliseconds))","level":"\(level.rawValue)",\
                "message":"parent: \(Self.escaped(text))"}\n
                """.utf8)
        }
    }

    /// `2026-01-02T03:04:05.678Z`, without the libraries that the parent does without.
    private static func time(_ seconds: Int, _ milliseconds: Int) -> String {
        var seconds = seconds
        var parts = unsafe tm()
        _ = unsafe gmtime_r(&seconds, &parts)
        func padded(_ number: some BinaryInteger, _ width: Int = 2) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
        }
        let (year, month, day) = unsafe (parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday)
        let (hour, minute, second) = unsafe (parts.tm_hour, parts.tm_min, parts.tm_sec)
        return "\(padded(year, 4))-\(padded(month))-\(padded(day))"
            + "T\(padded(hour)):\(padded(minute)):\(padded(second)).\(padded(milliseconds, 3))Z"
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\":
                result += "\\"
                result.unicodeScalars.append(scalar)
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
