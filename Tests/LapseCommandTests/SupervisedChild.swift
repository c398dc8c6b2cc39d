import Foundation
import Glibc
import Testing
import ThrowawayRedis

/// A worker below a parent, as tests of its death see it.
extension LapseBinary.Child {
    /// Waits until it leads for the `count`-th time.
    func waitUntilItLeads(_ count: Int = 1) async throws {
        try await waitUntil("it leads", within: .seconds(30)) {
            text.errors.matches("became leader") >= count ? nil : text.errors
        }
    }

    /// Waits until it has led for so long that its lease is released when it dies.
    func waitUntilItHasLedForLong() async throws {
        try await waitUntilItLeads()
        try await Task.sleep(for: .milliseconds(5200))
    }

    func worker() async throws -> Int32 { try await ChildProcesses.only(of: pid) }
}

extension ThrowawayServer {
    /// A lock that ran out is one of them, a lock that was released is not.
    func expiredKeys() async throws -> Int { try #require(try await info("expired_keys").flatMap { Int($0) }) }
}
