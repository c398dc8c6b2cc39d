#if MySQL
import Foundation
import LeaderElection
import LeaderElectionMySQL
import Testing
import ThrowawayStores

/// Measures how long a take-over takes. It asserts nothing about it: run it with
/// `LAPSE_MEASURE=1 swift test --traits MySQL --filter MySQLTakeOver` and read what it prints.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct MySQLTakeOverMeasurement {
    private static let isWanted =
        ThrowawayMariaDB.missing == nil && ProcessInfo.processInfo.environment["LAPSE_MEASURE"] != nil

    @Test(.enabled(if: isWanted), arguments: MySQLConfiguration.Scheme.allCases, [false, true])
    func takeOver(_ scheme: MySQLConfiguration.Scheme, crash: Bool) async throws {
        let lease = Duration.seconds(8)
        let times = try await StoreStage.with(MySQLUnderTest(scheme: scheme)) { stage in
            // One after the other: the machine is not to be what is measured.
            var times: [Int] = []
            for run in 0..<5 {
                let name = StoreStage.name("run\(run)")
                let proxy = try await stage.proxy()
                let a = try await stage.replica("a", of: name, Chronicle(), through: proxy, ttl: lease)
                let b = try await stage.replica("b", of: name, Chronicle(), ttl: lease)
                let time = Measured()
                try await stage.electing([a]) {
                    try await eventually("a leads") { a.elector.state.isLeader }
                    try await stage.electing([b]) {
                        try await eventually("b follows") { b.elector.state.leader == "a" }
                        let start = ContinuousClock.now
                        // As after a SIGKILL: from one moment on nothing of the leader reaches the server.
                        if crash { try await proxy.set(.blackHole) } else { a.elector.stop() }
                        while !b.elector.state.isLeader { try await Task.sleep(for: .milliseconds(1)) }
                        await time.set(Int((ContinuousClock.now - start) / .milliseconds(1)))
                        try await proxy.set(.pass)
                    }
                }
                times.append(await time.milliseconds)
            }
            return times
        }
        print("take-over through MariaDB, \(scheme), lease 8 s, \(crash ? "crash" : "release"), ms:", times.sorted())
    }
}

private actor Measured {
    var milliseconds = 0
    func set(_ value: Int) { milliseconds = value }
}
#endif
