import Glibc

/// The parent's end of the pair of sockets between it and a worker.
struct WorkerLink {
    let descriptor: Int32
    private var reader = WorkerLineReader()
    /// The worker has closed its end, and everything was read.
    private(set) var isOver = false

    /// More than a worker says in a second; one that says more is not listened to meanwhile.
    private static let mostBytesAtOnce = 64 << 10

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    }

    mutating func read() -> [WorkerLine] {
        var lines: [WorkerLine] = []
        var buffer = [UInt8](repeating: 0, count: 2048)
        var total = 0
        while total < Self.mostBytesAtOnce {
            let count = unsafe Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                isOver = count == 0 || errno != EAGAIN
                break
            }
            total += count
            lines += reader.lines(in: buffer[..<count])
        }
        return lines
    }

    func close() { _ = Glibc.close(descriptor) }
}
