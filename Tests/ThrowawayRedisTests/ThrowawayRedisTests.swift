import Foundation
import Testing
import ThrowawayRedis

/// Real processes: one suite at a time, and each test ends what it starts.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct ThrowawayRedisTests {}

extension ThrowawayRedisTests {
    /// Runs `body` with a cluster that is gone afterwards, also when the test fails.
    static func withCluster(
        _ options: ClusterOptions = ClusterOptions(), _ body: (ThrowawayCluster) async throws -> Void
    ) async throws {
        let cluster = try await ThrowawayCluster.start(options)
        do {
            try await body(cluster)
        } catch {
            await cluster.shutDown()
            throw error
        }
        await cluster.shutDown()
    }
}
