import Glibc
import NIOPosix
import Synchronization

/// A file descriptor that many tasks print whole lines to; lines never interleave.
///
/// A caller writes itself while a pipe has room; else a thread does, so that a stuck reader does not
/// hold up the threads of handlers. A caller that waits can be cancelled; a line that has been begun is
/// finished. Each second a reader that has ended is looked for.
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

    /// What became of some lines.
    package struct Outcome: Sendable {
        /// How many have been written, from the first on.
        package let lines: Int
        /// Why the others have not.
        package let error: (any Error)?
    }

    /// Lines on their way.
    private final class Job: Sendable {
        let lines: Lines
        let mayGoOn: @Sendable () -> Bool
        /// Bytes written. The writer moves it, and there is one at a time.
        let offset = Atomic(0)
        let isCancelled = Atomic(false)
        private let waiter = Mutex<CheckedContinuation<Void, Never>?>(nil)
        private let onEnd: @Sendable () -> Void

        init(
            _ lines: Lines, _ mayGoOn: @escaping @Sendable () -> Bool = { true },
            onEnd: @escaping @Sendable () -> Void = {}
        ) {
            self.lines = lines
            self.mayGoOn = mayGoOn
            self.onEnd = onEnd
        }

        func await(_ continuation: CheckedContinuation<Void, Never>) { waiter.withLock { $0 = continuation } }

        func end() {
            let waiter = waiter.withLock { waiter in
                defer { waiter = nil }
                return waiter
            }
            waiter?.resume()
            onEnd()
        }
    }

    private struct State {
        var waiting: [Job] = []
        var isWriting = false
        /// The one that the thread writes.
        var underWay: Job?
        var failure: Broken?
        var stall = WriteStall()
    }

    private let descriptor: OutputDescriptor
    private let name: String
    private let onBroken: @Sendable (Broken) -> Void
    private let onStalled: @Sendable (Stall) -> Void
    private let state = Mutex(State())
    private let writer = NIOThreadPool(numberOfThreads: 1)
    private let watch = Mutex<Task<Void, Never>?>(nil)

    /// - Parameters:
    ///   - endsBrokenLine: another process may have stopped in the middle of a line: before the first one
    ///     comes a newline, unless the descriptor's file ends with one. A pipe cannot be asked, so there an
    ///     empty line may come.
    ///   - isWatched: whether it is looked at each second; without, an end of its reader is noticed by the
    ///     next line.
    ///   - onBroken: called once, when nothing more can be written.
    ///   - onStalled: called after five seconds in which what is being written was not read, and again each
    ///     minute.
    package init(
        _ descriptor: Int32 = STDOUT_FILENO, name: String = "stdout", endsBrokenLine: Bool = false,
        isWatched: Bool = true,
        onBroken: @escaping @Sendable (Broken) -> Void = { _ in },
        onStalled: @escaping @Sendable (Stall) -> Void = { _ in }
    ) {
        self.descriptor = OutputDescriptor(descriptor)
        self.name = name
        self.onBroken = onBroken
        self.onStalled = onStalled
        writer.start()
        if endsBrokenLine, !self.descriptor.endsWithNewline {
            enqueue(Job(Lines([UInt8(ascii: "\n")])))
        }
        guard isWatched else { return }
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
        descriptor.close()
    }

    /// Returns when the line has been written.
    ///
    /// - Throws: ``Broken``, or `CancellationError`; the line may have been written all the same.
    package func write(_ line: [UInt8]) async throws {
        if let error = await write(Lines(line)).error { throw error }
    }

    /// Returns when the lines have been written, or as many of them as could be.
    ///
    /// - Parameter mayGoOn: asked before each write; false ends it with the line that has been begun.
    package func write(_ lines: Lines, while mayGoOn: @escaping @Sendable () -> Bool = { true }) async -> Outcome {
        let job = Job(lines, mayGoOn)
        let beginning = begin(job, mayWrite: descriptor.isPatient)
        if beginning != .over {
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    job.await(continuation)
                    if beginning == .begun { hand(job) } else { enqueue(job) }
                }
            } onCancel: {
                cancel(job)
            }
        }
        let written = lines.whole(in: job.offset.load(ordering: .acquiring))
        guard written < lines.count else { return Outcome(lines: written, error: nil) }
        return Outcome(lines: written, error: state.withLock { $0.failure } ?? CancellationError())
    }

    /// Writes a line and waits for nothing: what does not fit now is written by the thread, in its turn.
    ///
    /// - Parameter onEnd: called once, when the line has been written or never will be.
    package func post(_ line: [UInt8], onEnd: @escaping @Sendable () -> Void) {
        let job = Job(Lines(line), onEnd: onEnd)
        switch begin(job, mayWrite: descriptor.isPatient || descriptor.hasRoom) {
        case .over: job.end()
        case .begun: hand(job)
        case .waits: enqueue(job)
        }
    }

    private enum Beginning {
        case over
        /// It has its turn, and the thread is to go on with it.
        case begun
        case waits
    }

    /// Writes what fits, if no other writes.
    private func begin(_ job: Job, mayWrite: Bool) -> Beginning {
        guard mayWrite else { return .waits }
        let hasTurn = state.withLock { state in
            guard state.failure == nil, !state.isWriting, state.waiting.isEmpty else { return false }
            state.isWriting = true
            return true
        }
        guard hasTurn else { return .waits }
        guard advance(job) else { return .begun }
        let hasMore = state.withLock { state in
            state.isWriting = !state.waiting.isEmpty
            return state.isWriting
        }
        if hasMore { writer.submit { [self] _ in writeAll() } }
        return .over
    }

    /// The thread goes on with what has been begun, before anything else: a line in the middle of which
    /// another begins is none.
    private func hand(_ job: Job) {
        state.withLock { $0.waiting.insert(job, at: 0) }
        writer.submit { [self] _ in writeAll() }
        if job.isCancelled.load(ordering: .acquiring) { job.end() }
    }

    private func enqueue(_ job: Job) {
        let (isOver, begins) = state.withLock { state in
            guard state.failure == nil, !job.isCancelled.load(ordering: .acquiring) else { return (true, false) }
            state.waiting.append(job)
            defer { state.isWriting = true }
            return (false, !state.isWriting)
        }
        if isOver { job.end() }
        if begins { writer.submit { [self] _ in writeAll() } }
    }

    private func cancel(_ job: Job) {
        job.isCancelled.store(true, ordering: .releasing)
        state.withLock { state in
            // The thread goes on with one that has been begun to the end of its line.
            guard job.offset.load(ordering: .acquiring) == 0 else { return }
            state.waiting.removeAll { $0 === job }
        }
        job.end()
    }

    /// On the writer's thread: until nothing waits.
    private func writeAll() {
        while true {
            let job = state.withLock { state -> Job? in
                state.underWay = nil
                state.stall.ended()
                guard !state.waiting.isEmpty else {
                    state.isWriting = false
                    return nil
                }
                state.stall.began(at: .now)
                state.underWay = state.waiting.removeFirst()
                return state.underWay
            }
            guard let job else { return }
            while !advance(job) { descriptor.awaitRoom() }
            job.end()
        }
    }

    /// Writes what fits; returns whether the job is over.
    private func advance(_ job: Job) -> Bool {
        let bytes = job.lines.bytes
        while true {
            let offset = job.offset.load(ordering: .acquiring)
            let isStopped = job.isCancelled.load(ordering: .acquiring) || !job.mayGoOn()
            let end = isStopped ? job.lines.end(after: offset) : bytes.count
            guard offset < end else { return true }
            switch descriptor.write(bytes[offset..<end]) {
            case .wrote(let count): job.offset.store(offset + count, ordering: .releasing)
            case .full: return false
            case .broken(let text):
                broke(Broken(description: "\(name) \(text)"))
                return true
            }
        }
    }

    private func broke(_ failure: Broken) {
        let (isFirst, waiting) = state.withLock { state in
            defer {
                state.failure = state.failure ?? failure
                state.waiting = []
            }
            return (state.failure == nil, state.waiting)
        }
        for job in waiting { job.end() }
        if isFirst { onBroken(failure) }
    }

    /// Each second.
    private func look() {
        guard state.withLock({ $0.failure == nil }) else { return }
        if let text = descriptor.trouble { return broke(Broken(description: "\(name) \(text)")) }
        let stall = state.withLock { state in
            state.stall.look(at: .now).map { seconds in
                let jobs = state.waiting + [state.underWay].compactMap { $0 }
                return Stall(seconds: seconds, waiting: jobs.reduce(0) { $0 + $1.lines.count })
            }
        }
        if let stall { onStalled(stall) }
    }
}
