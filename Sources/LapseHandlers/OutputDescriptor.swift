import Glibc

/// A file descriptor to write to, without a wait where that can be had.
struct OutputDescriptor: Sendable {
    enum Result: Equatable {
        case wrote(Int)
        /// Nothing more for now.
        case full
        case broken(String)
    }

    /// As it was given.
    private let original: Int32
    /// What is written to.
    private let descriptor: Int32
    private let isSocket: Bool
    /// Whether a write never waits.
    let isPatient: Bool
    /// What a pipe holds, in bytes; 0 of anything else.
    private let capacity: Int

    /// A pipe is opened anew: whether writes wait belongs to the open file, which other processes may
    /// share.
    init(_ original: Int32) {
        self.original = original
        var facts = stat()
        let kind = unsafe fstat(original, &facts) == 0 ? facts.st_mode & S_IFMT : 0
        isSocket = kind == S_IFSOCK
        let anew =
            kind == S_IFIFO
            ? unsafe open("/proc/self/fd/\(original)", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY) : -1
        descriptor = anew >= 0 ? anew : original
        isPatient = isSocket || anew >= 0
        capacity = anew >= 0 ? Int(max(0, fcntl(anew, Self.getPipeSize))) : 0
    }

    /// `F_GETPIPE_SZ`, which Glibc's module does not show.
    private static let getPipeSize: Int32 = 1032
    private static let sendFlags = Int32(MSG_DONTWAIT | MSG_NOSIGNAL)

    func close() { if descriptor != original { _ = Glibc.close(descriptor) } }

    /// Writes what fits.
    func write(_ bytes: ArraySlice<UInt8>) -> Result {
        while true {
            let count = unsafe bytes.withUnsafeBytes { bytes in
                isSocket
                    ? unsafe send(descriptor, bytes.baseAddress, bytes.count, Self.sendFlags)
                    : unsafe Glibc.write(descriptor, bytes.baseAddress, bytes.count)
            }
            // Nothing at all is no progress: else the writer would try for ever without a pause.
            if count == 0 { return .full }
            if count > 0 { return .wrote(count) }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .full
            case EPIPE: return .broken("is closed: its reader has ended")
            case EBADF: return .broken("is closed")
            default: return .broken("cannot be written: \(unsafe String(cString: strerror(errno)))")
            }
        }
    }

    /// False too where that cannot be told.
    var endsWithNewline: Bool {
        var facts = stat()
        guard unsafe fstat(original, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else { return false }
        if facts.st_size == 0 { return true }
        let reader = unsafe open("/proc/self/fd/\(original)", O_RDONLY | O_CLOEXEC)
        guard reader >= 0 else { return false }
        defer { _ = Glibc.close(reader) }
        var last: UInt8 = 0
        return unsafe pread(reader, &last, 1, facts.st_size - 1) == 1 && last == UInt8(ascii: "\n")
    }

    /// Waits until something fits, for at most a tenth of a second. Into a full pipe the next page fits as
    /// soon as its reader has taken one, and each would wake the writer: until half of the pipe is free the
    /// reader gets another millisecond.
    func awaitRoom() {
        guard polled(for: 100) else { return }
        for _ in 0..<Self.naps where unread > capacity / 2 { usleep(Self.nap) }
    }

    private static let naps = 10
    private static let nap: UInt32 = 100

    private var unread: Int {
        guard capacity > 0 else { return 0 }
        var count: Int32 = 0
        return unsafe ioctl(descriptor, UInt(FIONREAD), &count) == 0 ? Int(count) : 0
    }

    /// Whether something fits, so that a short write does not wait.
    var hasRoom: Bool { polled(for: 0) }

    private func polled(for milliseconds: Int32) -> Bool {
        var interest = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        return unsafe poll(&interest, 1, milliseconds) > 0
    }

    /// Why nothing more can be written, as far as can be told without writing.
    var trouble: String? {
        let mode = fcntl(original, F_GETFL)
        guard mode >= 0, mode & O_ACCMODE != O_RDONLY else { return "is closed" }
        var interest = pollfd(fd: original, events: 0, revents: 0)
        guard unsafe poll(&interest, 1, 0) > 0, interest.revents & Int16(POLLERR | POLLHUP) != 0 else { return nil }
        return "is closed: its reader has ended"
    }
}
