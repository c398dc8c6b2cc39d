import ThrowawayRedis

/// What one process cost while it heard one burst.
struct Measurement {
    let processorTime: Duration
    let wallTime: Duration

    /// Measures from before the burst until the process rests again.
    static func of(_ process: ThrowawayProcess, during burst: () async throws -> Void) async throws -> Measurement {
        let began = ContinuousClock.now
        let before = process.processorTime
        async let rest = lastWork(of: process, from: began, for: .milliseconds(500))
        try await burst()
        let released = ContinuousClock.now
        var end = try await rest
        // The burst may have paused for so long that the process rested in the middle of it.
        while end < released, process.processorTime > before {
            let next = try await lastWork(of: process, from: released, for: .milliseconds(500))
            if next == released { break }
            end = next
        }
        return Measurement(processorTime: process.processorTime - before, wallTime: max(end, released) - began)
    }

    /// When the process last did more than tick, once it has not for `pause`.
    private static func lastWork(
        of process: ThrowawayProcess, from start: ContinuousClock.Instant, for pause: Duration
    ) async throws -> ContinuousClock.Instant {
        var last = start
        var spent = process.processorTime
        while ContinuousClock.now - last < pause {
            try await Task.sleep(for: .milliseconds(10))
            let now = process.processorTime
            if now - spent > .milliseconds(1) { last = ContinuousClock.now }
            spent = now
        }
        return last
    }
}

extension [Duration] {
    var median: Duration { isEmpty ? .zero : sorted()[count / 2] }
}
