import Foundation
import LeaderElection
import Testing
import ThrowawayStores

/// How long a take-over lasts: printed when asked for (`LAPSE_MEASURE=1`), never asserted.
@Suite(
    .serialized, .timeLimit(.minutes(5)),
    .enabled(if: ProcessInfo.processInfo.environment["LAPSE_MEASURE"] != nil, "a measurement: LAPSE_MEASURE=1"))
struct TakeOverMeasurement {
    @Test(arguments: StoresUnderTest.present, [false, true])
    func takeOver(_ kind: any StoreUnderTest, gracefully: Bool) async throws {
        try await StoreStage.with(kind, shared: true) { stage in
            var times: [Duration] = []
            for _ in 0..<5 { times.append(try await Self.once(stage, gracefully)) }
            let text = times.map { "\(Int($0 / .milliseconds(1))) ms" }.joined(separator: ", ")
            print("MEASURED \(kind.kind) lease \(kind.lease), \(gracefully ? "release" : "cut off"): \(text)")
        }
    }

    /// From the moment the leader is stopped, or cut off as by a kill, to the first moment another leads.
    private static func once(_ stage: StoreStage, _ gracefully: Bool) async throws -> Duration {
        let name = StoreStage.name()
        let chronicle = Chronicle()
        let proxy = try await stage.proxy()
        let first = try await stage.replica("a", of: name, chronicle, through: proxy)
        let second = try await stage.replica("b", of: name, chronicle)
        let taken = Chronometer()
        try await stage.electing([first]) {
            _ = try await stage.leader(of: [first])
            try await stage.electing([second]) {
                try await eventually("it follows") { second.elector.state.leader == "a" }
                let changes = second.elector.leadership
                let start = ContinuousClock.now
                if gracefully { first.elector.stop() } else { try await proxy.set(.blackHole) }
                for await change in changes {
                    if case .leading = change { break }
                }
                await taken.set(ContinuousClock.now - start)
                try await proxy.set(.pass)
            }
        }
        return await taken.value
    }

    private actor Chronometer {
        var value = Duration.zero
        func set(_ value: Duration) { self.value = value }
    }
}
