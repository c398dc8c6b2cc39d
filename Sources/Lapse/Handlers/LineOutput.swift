import Glibc
import NIOPosix
import Synchronization

/// A file descriptor that many tasks print whole lines to.
///
/// One thread writes, everything that waits in one write(2): lines never interleave, and a reader that has stopped
/// reading holds up that thread, not those on which handlers run. Whoever waits for its line can be cancelled.
package final class LineOutput: Sendable {
    /// The other end is gone, or the disk is full.
    package struct Broken: Error, CustomStringConvertible {
        package let description: String
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
    }

    private let descriptor: Int32
    private let name: String
    private let onBroken: @Sendable (Broken) -> Void
    private let state = Mutex(State())
    private let writer = NIOThreadPool(numberOfThreads: 1)

    /// - Parameter onBroken: called once, when nothing more can be written.
    package init(
        _ descriptor: Int32 = STDOUT_FILENO, name: String = "stdout",
        onBroken: @escaping @Sendable (Broken) -> Void = { _ in }
    ) {
        self.descriptor = descriptor
        self.name = name
        self.onBroken = onBroken
        writer.start()
    }

    deinit { writer.shutdownGracefully { _ in } }

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
                return batch
            }
            guard let batch else { return }
            let failure = put(batch)
            let (isFirst, done) = state.withLock { state in
                defer { state.underWay.removeAll(keepingCapacity: true) }
                let isFirst = failure != nil && state.failure == nil
                state.failure = state.failure ?? failure
                return (isFirst, Array(state.underWay.values))
            }
            for continuation in done {
                if let failure { continuation.resume(throwing: failure) } else { continuation.resume() }
            }
            if isFirst, let failure { onBroken(failure) }
        }
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
                // Somebody made the pipe non-blocking.
                var interest = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = unsafe poll(&interest, 1, -1)
            case EPIPE: return Broken(description: "\(name) is closed: whoever read it has ended")
            default: return Broken(description: "\(name) cannot be written: \(unsafe String(cString: strerror(errno)))")
            }
        }
        return nil
    }
}
