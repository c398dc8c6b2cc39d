import Lapse
import LeaderElection
import Logging
import Timing

/// The way to a group's state, for the length of a closure: connections to Redis, and to the store of
/// the election if that is another, or its lock servers.
struct GroupLook: Sendable {
    let observer: GroupObserver
    let access: RedisAccess

    static func with(
        _ values: OptionValues, _ body: (GroupLook) async throws -> Void
    ) async throws {
        var configuration = ProcessorConfiguration(name: try values(Election.name) ?? "default")
        try configuration.connect(values)
        configuration.registers = try values(Election.registers)
        configuration.lockServers = try values.all(Election.lockServers)
        do { try configuration.validate() } catch { throw Failure(error) }
        let logger = Logger(label: "lapse") { _ in SwiftLogNoOpLogHandler() }
        let access = try RedisAccess(configuration, logger: logger)
        // Last: a later throw would have to shut it down.
        let store = try StoreOptions(values).open(
            election: ElectionConfiguration(name: configuration.name, id: configuration.id), logger: logger)
        do {
            let observer = try GroupObserver(access, configuration, store: store)
            do { try await body(GroupLook(observer: observer, access: access)) } catch {
                await observer.shutDown()
                throw error
            }
            await observer.shutDown()
        } catch {
            await store?.shutDown()
            await access.shutDown()
            throw error
        }
        await store?.shutDown()
        await access.shutDown()
    }

    /// Looks until a replica leads or the time is over; returns the last look.
    func untilLed(within limit: Duration) async throws -> GroupReport {
        let deadline = ContinuousClock.now + limit
        let bell = Doorbell(on: access.loop)
        while true {
            let last: Result<GroupReport, Failure>
            do throws(Failure) {
                last = .success(try await observer.look(within: max(.zero, deadline - .now)))
            } catch {
                // Redis may be on its way up, too.
                guard error.code == .unreachable else { throw error }
                last = .failure(error)
            }
            if case .success(let report) = last, report.state == .led { return report }
            if ContinuousClock.now >= deadline { return try last.get() }
            if await bell.wait(upTo: .milliseconds(200)) == .cancelled { throw CancellationError() }
        }
    }
}
