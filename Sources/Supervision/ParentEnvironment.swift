import Glibc

/// The environment that this process was started with.
struct ParentEnvironment {
    private let entries: [String]

    init() {
        var bytes: [UInt8] = []
        let descriptor = unsafe open("/proc/self/environ", O_RDONLY | O_CLOEXEC)
        if descriptor >= 0 {
            var buffer = [UInt8](repeating: 0, count: 4096)
            while true {
                let count = unsafe read(descriptor, &buffer, buffer.count)
                guard count > 0 else { break }
                bytes += buffer[..<count]
            }
            _ = close(descriptor)
        }
        entries = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }

    subscript(name: String) -> String? {
        entries.first { $0.hasPrefix("\(name)=") }.map { String($0.dropFirst(name.utf8.count + 1)) }
    }

    /// Without what is between the service manager and this process. Unless it was asked for, Swift's
    /// backtracer does not hold the dead for seconds: what it died of is told all the same.
    func ofWorker(reportsCrashes: Bool) -> [String] {
        var own = entries.filter { !$0.hasPrefix("NOTIFY_SOCKET=") && !$0.hasPrefix("WATCHDOG_PID=") }
        if !reportsCrashes {
            own.removeAll { $0.hasPrefix("SWIFT_BACKTRACE=") }
            own.append("SWIFT_BACKTRACE=enable=no")
        }
        return own
    }
}

/// Core dumps of this process and of all that it starts.
enum CoreDumps {
    /// A limit of one byte, since one of none is not looked at where the kernel pipes dumps to a program
    /// (core(5)).
    static func forbid() {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = min(1, limit.rlim_max)
        _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit)
    }
}
