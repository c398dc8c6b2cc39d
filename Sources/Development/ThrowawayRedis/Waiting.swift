/// Polls until `unmet` answers nil, and throws what it last answered when the time is over.
///
/// An error thrown by `unmet` counts as "not yet": the thing waited for is often just not up.
package func waitUntil(
    _ what: String, within limit: Duration, every pause: Duration = .milliseconds(25),
    unmet: () async throws -> String?
) async throws {
    let deadline = ContinuousClock.now + limit
    while true {
        let reason: String
        do {
            guard let unmet = try await unmet() else { return }
            reason = unmet
        } catch let error as CancellationError {
            throw error
        } catch {
            reason = "\(error)"
        }
        guard ContinuousClock.now < deadline else {
            throw ThrowawayRedisError("gave up after \(limit) waiting until \(what): \(reason)")
        }
        try await Task.sleep(for: pause)
    }
}
