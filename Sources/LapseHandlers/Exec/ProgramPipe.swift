import Glibc
import Spawning

/// A pipe between this process and a program: no other program that is started gets its ends.
struct ProgramPipe {
    let reading: Int32
    let writing: Int32

    /// - Parameter program: names it in the error.
    init(_ program: String) throws {
        var ends: [Int32] = [0, 0]
        guard unsafe pipe(&ends) == 0 else { throw ProcessError("no pipe for \(program): errno \(errno)") }
        (reading, writing) = (ends[0], ends[1])
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    }

    func close() { for end in [reading, writing] { _ = Glibc.close(end) } }

    /// Of this end alone: the other one, which the program has, is another open file.
    static func waitsNever(_ end: Int32) { _ = fcntl(end, F_SETFL, fcntl(end, F_GETFL) | O_NONBLOCK) }
}
