import Testing
import ThrowawayRedis

extension ThrowawayRedisTests {
    @Test func sentinelsReplaceAKilledMaster() async throws {
        let group = try await ThrowawaySentinel.start()
        do {
            let former = try await group.master()
            await former.kill()
            let heir = try await group.waitForPromotion(after: former)
            #expect(heir !== former)
            let role = try await heir.role()
            #expect(role == .master)
        } catch {
            await group.shutDown()
            throw error
        }
        await group.shutDown()
    }
}
