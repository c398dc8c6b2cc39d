import Foundation
import ThrowawayRedis

/// Faults of Lapse's own processes.
extension Stage {
    func killLeader() async throws -> Trace {
        await (try group.leader()).killWorker()
        return Trace()
    }

    func terminateLeader() async throws -> Trace {
        let code = await (try group.leader()).terminate()
        return Trace(note: "exit \(code ?? -1) ")
    }

    func freezeLeader(for time: Duration) async throws -> Trace {
        let leader = try await group.leader()
        let term = leader.handled.last?.term ?? 0
        leader.freeze()
        try await Task.sleep(for: time)  // The fault itself.
        leader.resume()
        var trace = Trace()
        trace.woke = (leader.id, term, Date().timeIntervalSince1970)
        return trace
    }

    func restartAllInTurn() async throws -> Trace {
        var trace = Trace()
        for replica in group.replicas {
            let code = await replica.terminate()
            trace.note += "exit \(code ?? -1) "
            try await group.startAgain(replica)
        }
        return trace
    }

    /// Every replica in turn becomes one of another build, and then one of its own build again.
    func restartAll(as builds: (other: String?, own: String)) async throws -> Trace {
        guard let other = builds.other else {
            throw ThrowawayRedisError("name the build to change to and from: --other-binary PATH")
        }
        var trace = Trace()
        for build in [other, builds.own] {
            for replica in group.replicas {
                let code = await replica.terminate()
                trace.note += "exit \(code ?? -1) "
                try await group.startAgain(replica, binary: build)
            }
        }
        return trace
    }

    /// No replica listens for a while. They end in order: what they leave is exact.
    func stopAll(for time: Duration) async throws -> Trace {
        var trace = Trace()
        for replica in group.replicas {
            let code = await replica.terminate()
            trace.note += "exit \(code ?? -1) "
        }
        try await Task.sleep(for: time)  // The fault itself.
        for replica in group.replicas { try await group.startAgain(replica) }
        return trace
    }

    /// Does something while nearly nothing is handled, and what was announced waits.
    func underBacklog(_ fault: (Stage) async throws -> Trace) async throws -> Trace {
        for replica in group.replicas { replica.readOutput(bytesPerSecond: 4 << 10) }
        try await Task.sleep(for: .seconds(pace.before))  // A backlog must grow.
        do {
            var trace = try await fault(self)
            for replica in group.replicas { replica.readOutput(bytesPerSecond: nil) }
            trace.note += "under a backlog "
            return trace
        } catch {
            for replica in group.replicas { replica.readOutput(bytesPerSecond: nil) }
            throw error
        }
    }

    /// What the handlers print is read more slowly than it comes.
    func slowHandlers(for time: Duration) async throws -> Trace {
        for replica in group.replicas { replica.readOutput(bytesPerSecond: 4 << 10) }
        try await Task.sleep(for: time)  // The fault itself.
        for replica in group.replicas { replica.readOutput(bytesPerSecond: nil) }
        return Trace()
    }
}
