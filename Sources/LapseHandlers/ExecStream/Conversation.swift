import Foundation
import Glibc
import Logging
import Processes
import Spawning
import Synchronization
import Timing

/// One run of a program that is asked on stdin and answers on stdout. A thread of its own writes and
/// reads, so neither side waits for the other.
final class Conversation: Sendable {
    /// After its stdin was closed.
    private static let farewell = Duration.seconds(2)

    private let child: ChildProcess
    private let input: Int32
    private let output: Int32
    private let errors: Int32
    /// A byte in here ends a wait.
    private let bell: (reading: Int32, writing: Int32)
    private let logger: Logger
    private let isKilled = Atomic(false)

    private init(_ child: ChildProcess, _ pipes: [ProgramPipe], _ logger: Logger) {
        self.child = child
        input = pipes[0].writing
        output = pipes[1].reading
        errors = pipes[2].reading
        bell = (pipes[3].reading, pipes[3].writing)
        self.logger = logger
    }

    /// - Throws: `CancellationError` where it was not started.
    static func begin(
        _ words: [String], environment: [String: String], without hidden: Set<String>, logger: Logger,
        ifStill mayBegin: @escaping @Sendable () -> Bool
    ) async throws -> Conversation {
        var pipes: [ProgramPipe] = []
        do {
            for _ in 0..<4 { pipes.append(try ProgramPipe(words[0])) }
            let child = try await ChildProcess.spawn(
                words[0], Array(words.dropFirst()), environment: environment, without: hidden,
                input: pipes[0].reading, output: pipes[1].writing, errors: pipes[2].writing, ifStill: mayBegin)
            for descriptor in [pipes[0].reading, pipes[1].writing, pipes[2].writing] { _ = Glibc.close(descriptor) }
            for descriptor in [pipes[0].writing, pipes[1].reading, pipes[2].reading] {
                ProgramPipe.waitsNever(descriptor)
            }
            ProgramPipe.waitsNever(pipes[3].reading)
            ProgramPipe.waitsNever(pipes[3].writing)
            return Conversation(child, pipes, logger)
        } catch {
            for pipe in pipes { pipe.close() }
            throw error
        }
    }

    /// There is something to ask, or to end. Not after ``run``.
    func wake() {
        var byte: UInt8 = 0
        _ = unsafe Glibc.write(bell.writing, &byte, 1)
    }

    /// What it was asked last may have sent it into a loop.
    func kill() {
        isKilled.store(true, ordering: .relaxed)
        child.signalGroup(SIGKILL)
    }

    /// Until the program has ended.
    ///
    /// - Parameters:
    ///   - hasNext: whether there is a line to be written now.
    ///   - next: writes the next line, if there is one, with the function that it is given: this answers
    ///     how many bytes went, and nil where none can go any more. Answers what is left of the line; nil
    ///     where none can go any more.
    ///   - isOver: whether nothing will be asked any more.
    ///   - answered: false for an answer to nothing that was asked.
    func run(
        hasNext: @escaping @Sendable () -> Bool,
        next: @escaping @Sendable (_ write: (ArraySlice<UInt8>) -> Int?) -> ArraySlice<UInt8>?,
        isOver: @escaping @Sendable () -> Bool, answered: @escaping @Sendable (ProgramAnswer) -> Bool
    ) async -> ProgramRun.End {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let thread = Thread { [self] in
                exchange(hasNext, next, isOver, answered)
                continuation.resume()
            }
            thread.name = "program \(child.pid)"
            thread.start()
        }
        // It cannot be asked any more. What it has started goes with it.
        child.signalGroup(SIGKILL)
        await child.waitForExit()
        child.signalGroup(SIGKILL)
        return ProgramRun.End(status: child.exitStatus ?? SIGKILL)
    }

    /// Owns the descriptors of the program.
    private func exchange(
        _ hasNext: () -> Bool, _ next: ((ArraySlice<UInt8>) -> Int?) -> ArraySlice<UInt8>?, _ isOver: () -> Bool,
        _ answered: (ProgramAnswer) -> Bool
    ) {
        /// Of a line that was begun.
        var rest: ArraySlice<UInt8> = []
        var answers = AnswerLines()
        var strays = Strays(logger)
        var log = ProgramLog(logger)
        var isOpen = true
        // What the program has closed is looked at no more: it would be ready at each look.
        var (hearing, logging) = (output, errors)
        var closedAt: ContinuousClock.Instant?
        func closeInput() {
            if isOpen { _ = Glibc.close(input) }
            isOpen = false
        }
        while !child.hasEnded {
            let hasMore = !rest.isEmpty || hasNext()
            if !hasMore, isOpen, isOver() {
                closeInput()
                closedAt = .now
            }
            if let closedAt, .now - closedAt > Self.farewell { break }
            var looks = [hearing, logging, bell.reading].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            if isOpen { looks.append(pollfd(fd: input, events: hasMore ? Int16(POLLOUT) : 0, revents: 0)) }
            // The end of a program whose descriptors others hold is seen in time.
            guard unsafe poll(&looks, nfds_t(looks.count), 100) > 0 else { continue }
            if looks[2].revents != 0 { _ = read(bell.reading) }
            if looks[1].revents != 0 {
                if let bytes = read(errors) { log.append(bytes) } else { logging = -1 }
            }
            if looks[0].revents != 0 {
                if let bytes = read(output) {
                    answers.append(bytes) { strays.look($0, answered) }
                } else {
                    // Without a question to come it may tidy up; else it can answer no more.
                    guard closedAt != nil else { break }
                    hearing = -1
                }
            }
            if isOpen, looks[3].revents != 0 {
                // A program that reads no more can be asked no more.
                guard looks[3].revents & Int16(POLLERR) == 0 else { break }
                // A line is taken when there is room for it: what waits for room is not asked.
                guard let left = rest.isEmpty ? next(write) : write(rest).map({ rest.dropFirst($0) }) else { break }
                rest = left
            }
        }
        // What it had said before it ended counts, as much as a pipe holds.
        var left = 64 << 10
        while left > 0, !isKilled.load(ordering: .relaxed), let bytes = read(output), !bytes.isEmpty {
            left -= bytes.count
            answers.append(bytes) { strays.look($0, answered) }
        }
        while let bytes = read(errors), !bytes.isEmpty, left > -(64 << 10) {
            left -= bytes.count
            log.append(bytes)
        }
        log.finish()
        closeInput()
        for descriptor in [output, errors] { _ = Glibc.close(descriptor) }
    }

    deinit {
        // Here and not at the end: others may ring until they have let go of it.
        for descriptor in [bell.reading, bell.writing] { _ = Glibc.close(descriptor) }
    }

    /// Nil at the end; empty where nothing is there now.
    private func read(_ descriptor: Int32) -> ArraySlice<UInt8>? {
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        let count = unsafe Glibc.read(descriptor, &buffer, buffer.count)
        if count > 0 { return buffer[..<count] }
        return count < 0 && (errno == EAGAIN || errno == EINTR) ? [] : nil
    }

    /// Nil where it can be written no more.
    private func write(_ bytes: ArraySlice<UInt8>) -> Int? {
        let count = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(input, $0.baseAddress, $0.count) }
        if count >= 0 { return count }
        return errno == EAGAIN || errno == EINTR ? 0 : nil
    }
}
