import Foundation
import Glibc
import ThrowawayRedis

/// A pipe that a program writes to by its path, and that this process reads.
struct NamedPipe {
    let path: String
    /// Open for both ends, so that opening it did not wait for the other one; it ends with this process.
    let descriptor: Int32

    init() throws {
        path = try Leftovers.makeDirectory("lines").appending(path: "pipe").path
        guard unsafe mkfifo(path, 0o600) == 0 else { throw ThrowawayRedisError("no pipe at \(path)") }
        descriptor = unsafe open(path, O_RDWR)
        guard descriptor >= 0 else { throw ThrowawayRedisError("\(path) cannot be opened") }
    }
}
