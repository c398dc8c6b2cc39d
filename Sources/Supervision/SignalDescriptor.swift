import Glibc

/// The signals of this process as something to be read.
struct SignalDescriptor {
    private typealias Make = @convention(c) (Int32, UnsafePointer<sigset_t>, Int32) -> Int32

    let descriptor: Int32
    /// Those that were ignored from the start, as SIGHUP below nohup.
    let ignored: [Int32]

    private static let wanted = [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2]
    /// Of the kernel's `struct signalfd_siginfo`.
    private static let size = 128

    /// From now on none of them ends this process. Nil where the system has no signalfd.
    init?() {
        // Swift's module of glibc does not show it.
        guard let symbol = unsafe dlsym(nil, "signalfd") else { return nil }
        let make = unsafe unsafeBitCast(symbol, to: Make.self)
        ignored = Self.wanted.filter(Self.isIgnored)
        // Ignored in the parent only: a write to an output that has gone is no end.
        _ = signal(SIGPIPE, SIG_IGN)
        // Where the process that started this one ignored it, no child's end would be told.
        _ = signal(SIGCHLD, SIG_DFL)
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for number in Self.wanted + [SIGCHLD] where !ignored.contains(number) { unsafe sigaddset(&set, number) }
        unsafe sigprocmask(SIG_SETMASK, &set, nil)
        // SFD_CLOEXEC | SFD_NONBLOCK
        descriptor = unsafe make(-1, &set, 0o2_000_000 | 0o4000)
        guard descriptor >= 0 else { return nil }
    }

    /// All that have come.
    func read() -> [Int32] {
        var received: [Int32] = []
        var buffer = [UInt8](repeating: 0, count: Self.size * 8)
        while true {
            let count = unsafe Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= Self.size else { return received }
            for start in stride(from: 0, to: count - Self.size + 1, by: Self.size) {
                received.append(Self.number(buffer[start..<start + 4]))
            }
        }
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> Int32 {
        var number: UInt32 = 0
        for byte in bytes.reversed() { number = number << 8 | UInt32(byte) }
        return Int32(bitPattern: number)
    }

    private static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        unsafe sigaction(number, nil, &action)
        // As a number: two C function pointers cannot be compared.
        return unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
    }
}
