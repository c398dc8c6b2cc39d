import Glibc
import NIOPosix
import Synchronization

/// A file descriptor that many tasks print whole lines to.
///
/// One thread writes, everything that waits in one write(2): lines never interleave, and a reader that has stopped
/// reading holds up that thread, not those on which handlers run. A caller that waits for its line can be cancelled.
/// Each second the descriptor is looked at: a reader that has ended is noticed without a line for it.
package final class LineOutput: Sendable {
    /// The other end is gone, or the disk is full.
    package struct Broken: Error, CustomStringConvertible {
        package let description: String
    }

    /// A reader that is there and does not read.
    package struct Stall: Sendable {
        /// Since the write began that is not over.
        package let seconds: Int
        /// Lines that wait for their turn.
        package let waiting: Int
    }

    private struct Line {
        let bytes: [UInt8]
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        /// In the order of their numbers.
        var waiting: [(number: UInt64, line: Line)] = []
        var underWay: [UInt64: CheckedContinuation<Void, any Error>] = [:]
        var number: UInt64 = 0
        var isWriting = false
        var failure: Broken?
        var stall = WriteStall()
    }

    private let descriptor: Int32
    private let name: String
    private let onBroken: @Sendable (Broken) -> Void
    private let onStalled: @Sendable (Stall) -> Void
    private let state = Mutex(State())
    private let writer = NIOThreadPool(numberOfThreads: 1)
    private let watch = Mutex<Task<Void, Never>?>(nil)

    /// - Parameters:
    ///   - onBroken: called once, when nothing more can be written.
    ///   - onStalled: called after five seconds in which what is being written was not read, and again each minute.
    package init(
        _ descriptor: Int32 = STDOUT_FILENO, name: String = "stdout",
        onBroken: @escaping @Sendable (Broken) -> Void = { _ in },
        onStalled: @escaping @Sendable (Stall) -> Void = { _ in }
    ) {
        self.descriptor = descriptor
        self.name = name
        self.onBroken = onBroken
        self.onStalled = onStalled
        writer.start()
        let watching = Task { [weak self] in
            while !Task.isCancelled {
                guard self?.look() != nil else { return }
                try? await Task.sleep(for: .seconds(1), tolerance: .milliseconds(100))
            }
        }
        watch.withLock { $0 = watching }
    }

    deinit {
        watch.withLock { $0?.cancel() }
        writer.shutdownGracefully { _ in }
    }

    /// Returns when the line has been written.
    ///
    /// - Throws: ``Broken``, or `CancellationError`; the line may have been written all the same.
    package func write(_ bytes: [UInt8]) async throws {
        let number = state.withLock { state in
            state.number += 1
            return state.number
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let (refusal, begins) = state.withLock { state -> ((any Error)?, Bool) in
                    if let failure = state.failure { return (failure, false) }
                    if Task.isCancelled { return (CancellationError(), false) }
                    state.waiting.append((number, Line(bytes: bytes, continuation: continuation)))
                    defer { state.isWriting = true }
                    return (nil, !state.isWriting)
                }
                if let refusal { continuation.resume(throwing: refusal) }
                if begins { writer.submit { [self] _ in writeAll() } }
            }
        } onCancel: {
            cancel(number)
        }
    }

    private func cancel(_ number: UInt64) {
        let continuation = state.withLock { state -> CheckedContinuation<Void, any Error>? in
            if let index = state.waiting.firstIndex(where: { $0.number == number }) {
                return state.waiting.remove(at: index).line.continuation
            }
            return state.underWay.removeValue(forKey: number)
        }
        continuation?.resume(throwing: CancellationError())
    }

    /// On the writer's thread: until nothing waits.
    private func writeAll() {
        while true {
            let batch = state.withLock { state -> [UInt8]? in
                guard !state.waiting.isEmpty else {
                    state.isWriting = false
                    return nil
                }
                var batch: [UInt8] = []
                for (number, line) in state.waiting {
                    batch += line.bytes
                    state.underWay[number] = line.continuation
                }
                state.waiting.removeAll(keepingCapacity: true)
                state.stall.began(at: .now)
                return batch
            }
            guard let batch else { return }
            let failure = put(batch)
            let done = state.withLock { state in
                defer { state.underWay.removeAll(keepingCapacity: true) }
                state.stall.ended()
                return Array(state.underWay.values)
            }
            for continuation in done {
                if let failure { continuation.resume(throwing: failure) } else { continuation.resume() }
            }
            if let failure { broke(failure) }
        }
    }

    private func broke(_ failure: Broken) {
        let isFirst = state.withLock { state in
            defer { state.failure = state.failure ?? failure }
            return state.failure == nil
        }
        if isFirst { onBroken(failure) }
    }

    /// Each second.
    private func look() {
        guard state.withLock({ $0.failure == nil }) else { return }
        if let failure = Self.condition(of: descriptor, name) { return broke(failure) }
        let stall = state.withLock { state in
            state.stall.look(at: .now).map { Stall(seconds: $0, waiting: state.underWay.count + state.waiting.count) }
        }
        if let stall { onStalled(stall) }
    }

    private func put(_ bytes: [UInt8]) -> Broken? {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count >= 0 {
                rest = rest.dropFirst(count)
                continue
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                // Another process made the pipe non-blocking.
                var interest = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = unsafe poll(&interest, 1, -1)
            case EPIPE: return Self.closed(name)
            case EBADF: return Broken(description: "\(name) is closed")
            default: return Broken(description: "\(name) cannot be written: \(unsafe String(cString: strerror(errno)))")
            }
        }
        return nil
    }

    private static func closed(_ name: String) -> Broken {
        Broken(description: "\(name) is closed: its reader has ended")
    }

    /// Why nothing more can be written, as far as can be told without writing.
    private static func condition(of descriptor: Int32, _ name: String) -> Broken? {
        let mode = fcntl(descriptor, F_GETFL)
        guard mode >= 0, mode & O_ACCMODE != O_RDONLY else { return Broken(description: "\(name) is closed") }
        var interest = pollfd(fd: descriptor, events: 0, revents: 0)
        guard unsafe poll(&interest, 1, 0) > 0, interest.revents & Int16(POLLERR | POLLHUP) != 0 else { return nil }
        return closed(name)
    }
}

/// How long a write has been under way, and when that is to be told.
package struct WriteStall: Sendable {
    private var began: ContinuousClock.Instant?
    private var toldAt: ContinuousClock.Instant?
    private static let patience = Duration.seconds(5)
    private static let pause = Duration.seconds(60)

    package init() {}

    package mutating func began(at now: ContinuousClock.Instant) { began = now }

    package mutating func ended() {
        began = nil
        toldAt = nil
    }

    /// The seconds that the write has taken, when they are to be told now.
    package mutating func look(at now: ContinuousClock.Instant) -> Int? {
        guard let began, now - began >= Self.patience, toldAt.map({ now - $0 >= Self.pause }) ?? true else {
            return nil
        }
        toldAt = now
        return Int((now - began).components.seconds)
    }
}
