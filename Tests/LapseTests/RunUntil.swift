import ThrowawayRedis

@testable import Lapse

extension ExpirationProcessor {
    /// Runs until `body` is done, which begins when it leads and hears every node.
    func run(until body: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            // Beside what it is to be tried with; the group awaits both.
            group.addTask { try await self.run() }
            group.addTask {
                try await waitUntil("it leads and hears every node", within: .seconds(30)) {
                    let reasons = self.readiness()
                    return reasons.isEmpty && self.status?.isLeader == true ? nil : "\(reasons)"
                }
                try await body()
                self.stop()
            }
            do { while try await group.next() != nil {} } catch {
                group.cancelAll()
                throw error
            }
        }
    }
}
