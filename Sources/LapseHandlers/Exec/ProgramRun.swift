import Foundation
import Glibc
import Processes
import Spawning
import Synchronization

/// One run of a program: its input, what it prints, its end.
struct ProgramRun: Sendable {
    enum End: Sendable, Equatable {
        case exited(Int32)
        case killed(Int32)

        init(status: Int32) {
            let signal = status & 0x7f
            self = signal == 0 ? .exited(status >> 8 & 0xff) : .killed(signal)
        }
    }

    let words: [String]
    let environment: [String: String]
    let hidden: Set<String>
    let input: [UInt8]

    /// Runs it to its end. When the task is cancelled its process group is killed; what it has left behind
    /// in its group when it ends, as well.
    ///
    /// - Parameters:
    ///   - mayBegin: asked right before it is started: others may be started first.
    ///   - line: called with what it prints to stdout and stderr, line by line, up to 64 KiB.
    /// - Throws: `CancellationError` where it was not started.
    func end(ifStill mayBegin: @escaping @Sendable () -> Bool, _ line: @escaping @Sendable (String) -> Void)
        async throws -> End
    {
        // A file: a program that does not read it has not failed, and nothing waits for one that does not read
        // on.
        let file = try MemoryFile(input)
        defer { file.close() }
        let pipe = try ProgramPipe(words[0])
        let (reading, writing) = (pipe.reading, pipe.writing)
        defer { _ = Glibc.close(reading) }
        let child: ChildProcess
        do {
            defer { _ = Glibc.close(writing) }
            let cancellation = Cancellation()
            child = try await withTaskCancellationHandler {
                try await ChildProcess.spawn(
                    words[0], Array(words.dropFirst()), environment: environment, without: hidden,
                    input: file.descriptor, output: writing, ifStill: { mayBegin() && !cancellation.hasCome })
            } onCancel: {
                cancellation.comes()
            }
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                let thread = Thread {
                    Self.read(reading, until: child, OutputLines(line))
                    continuation.resume()
                }
                thread.name = "output \(child.pid)"
                thread.start()
            }
            await child.waitForExit()
            // While it is not reaped, its group is its own.
            child.signalGroup(SIGKILL)
            return End(status: child.exitStatus ?? SIGKILL)
        } onCancel: {
            child.signalGroup(SIGKILL)
        }
    }

    /// Until nothing holds the pipe any more, or the program has ended and what it had written is read: a
    /// process that it left behind may hold it for ever.
    private static func read(_ descriptor: Int32, until child: ChildProcess, _ lines: consuming OutputLines) {
        var lines = lines
        var buffer = [UInt8](repeating: 0, count: 4096)
        // Once the program has ended: what the pipe can hold.
        var left: Int?
        while left ?? 1 > 0 {
            if left == nil, child.hasEnded { left = 64 << 10 }
            var look = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard unsafe poll(&look, 1, left == nil ? 100 : 0) > 0 else {
                if left == nil { continue }
                break
            }
            let count = unsafe Glibc.read(descriptor, &buffer, buffer.count)
            guard count > 0 else {
                if count < 0, errno == EINTR { continue }
                break
            }
            lines.append(buffer[..<count])
            left = left.map { $0 - count }
        }
        lines.finish()
    }
}

private final class Cancellation: Sendable {
    private let state = Atomic(false)
    var hasCome: Bool { state.load(ordering: .acquiring) }
    func comes() { state.store(true, ordering: .releasing) }
}

/// What a program prints, cut into lines and bounded.
struct OutputLines {
    private static let limit = 64 << 10
    private static let lineLimit = 1024

    private let put: (String) -> Void
    private var rest: [UInt8] = []
    private var total = 0

    init(_ put: @escaping (String) -> Void) { self.put = put }

    mutating func append(_ bytes: ArraySlice<UInt8>) {
        guard total <= Self.limit else { return }
        total += bytes.count
        for byte in bytes {
            if byte == UInt8(ascii: "\n") { emit() } else if rest.count < Self.lineLimit { rest.append(byte) }
        }
        if total > Self.limit {
            emit()
            put("(more output is not shown)")
        }
    }

    mutating func finish() { emit() }

    private mutating func emit() {
        guard !rest.isEmpty else { return }
        put(String(decoding: rest, as: UTF8.self))
        rest = []
    }
}

/// A file without a name.
private struct MemoryFile {
    let descriptor: Int32

    init(_ bytes: [UInt8]) throws {
        guard let create = unsafe memfdCreate else { throw ProcessError("this system has no memfd_create") }
        descriptor = unsafe create("lapse", 1)
        guard descriptor >= 0 else { throw ProcessError("no memory for a program's input: errno \(errno)") }
        var offset = 0
        while offset < bytes.count {
            let count = unsafe bytes[offset...].withUnsafeBytes {
                unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            guard count > 0 else {
                close()
                throw ProcessError("no memory for a program's input: errno \(errno)")
            }
            offset += count
        }
        lseek(descriptor, 0, SEEK_SET)
    }

    func close() { _ = Glibc.close(descriptor) }
}

private typealias MemfdCreate = @convention(c) (UnsafePointer<CChar>, UInt32) -> Int32

/// Swift's module of glibc does not show it. The flag 1 is MFD_CLOEXEC.
private let memfdCreate: MemfdCreate? = unsafe dlsym(nil, "memfd_create").map {
    unsafe unsafeBitCast($0, to: MemfdCreate.self)
}
