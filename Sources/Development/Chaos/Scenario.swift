import ThrowawayRedis

/// How long faults and traffic last: for the table, or for a test.
package enum Pace: Sendable {
    case full, short

    /// Steady traffic before the fault, in seconds.
    var before: Double { self == .full ? 5 : 2 }
    /// How long the leader stays stopped: longer than any lease used.
    var freeze: Duration { self == .full ? .seconds(20) : .seconds(6) }
    /// How long every replica stays away.
    var outage: Duration { self == .full ? .seconds(60) : .seconds(8) }
    /// How long handlers are slower than the stream.
    var slowness: Duration { self == .full ? .seconds(60) : .seconds(12) }
    /// How many keys have companions, where some have.
    var companions: Int { self == .full ? 10_000 : 1_500 }
}

/// A fault, and what is needed to do it to a running group. The number is its row in the table of
/// faults.
package enum Scenario: String, CaseIterable, Sendable {
    case none
    /// 9, 31.
    case sigkill
    /// 10.
    case sigterm
    /// 7.
    case sigstop
    /// 32.
    case rolling
    /// 86. Only with another build to change to and from.
    case upgrade
    /// 14, 33.
    case masterKilled = "master-killed"
    /// 48.
    case masterFrozen = "master-frozen"
    /// 34.
    case failover
    /// 35.
    case newMaster = "new-master"
    /// 35, the second half.
    case nodeLeaves = "node-leaves"
    /// 36.
    case feedsCut = "feeds-cut"
    /// 37.
    case nodeCut = "node-cut"
    case nodeCutCompanions = "node-cut-companions"
    /// 38.
    case halfOpen = "half-open"
    /// 39.
    case notificationsEmptied = "notifications-emptied"
    /// 40.
    case bufferLimit = "buffer-limit"
    /// 41.
    case resetAndForged = "reset-and-forged"
    /// 42.
    case allDown = "all-down"
    case allDownCompanions = "all-down-companions"
    /// 43.
    case nodeRestart = "node-restart"
    case nodeRestartCompanions = "node-restart-companions"
    /// 44.
    case slowHandler = "slow-handler"
    /// 101.
    case sentinelFailover = "sentinel-failover"
    /// 105.
    case rollingBacklog = "rolling-backlog"
    /// 107.
    case reshardBacklog = "reshard-backlog"

    /// 95. What is owed is owed to a stream.
    case streamSigkill = "stream-sigkill"
    case streamSigstop = "stream-sigstop"
    case streamFeedsCut = "stream-feeds-cut"
    case streamResetAndKilled = "stream-reset-and-killed"
    case streamRegistersFlushed = "stream-registers-flushed"
    /// 96.
    case streamMasterKilled = "stream-master-killed"
    case streamFull = "stream-full"
    /// 97. What is owed is owed by the workers of a stream.
    case work

    /// Every timer key has a companion: what is not heard must be found.
    package var hasCompanions: Bool {
        switch self {
        case .nodeCutCompanions, .allDownCompanions, .nodeRestartCompanions: true
        default: false
        }
    }

    /// Something is to be lost, and to be counted: a run in which nothing was has tested nothing.
    package var losesSome: Bool {
        switch self {
        case .nodeCut, .notificationsEmptied, .bufferLimit, .allDown, .slowHandler: true
        default: false
        }
    }

    /// Whether it may lose what it then has to count.
    package var mayLose: Bool { losesSome || self == .nodeRestart }

    /// Where what is handled is to be seen.
    var output: Stage.Output {
        switch self {
        case .streamSigkill, .streamSigstop, .streamFeedsCut, .streamResetAndKilled, .streamRegistersFlushed,
            .streamMasterKilled, .streamFull:
            .stream
        case .work: .workers
        default: .replicas
        }
    }

    /// How long the traffic runs, in seconds.
    func seconds(_ pace: Pace) -> Double {
        switch (self, pace) {
        case (.sigstop, .full), (.streamSigstop, .full), (.nodeLeaves, .full): 34
        case (.rolling, .full), (.work, .full): 30
        case (.upgrade, _): 40
        case (.masterKilled, .full), (.masterFrozen, .full), (.streamMasterKilled, .full), (.streamFull, .full): 28
        case (.allDown, .full), (.slowHandler, .full): 75
        case (.reshardBacklog, .full): 95
        case (.rollingBacklog, .full): 40
        case (.rollingBacklog, .short), (.reshardBacklog, .short): 20
        case (_, .full): 22
        case (.sigstop, .short), (.rolling, .short), (.masterKilled, .short), (.masterFrozen, .short),
            (.streamSigstop, .short), (.streamMasterKilled, .short), (.streamFull, .short):
            16
        case (.slowHandler, .short): 16
        case (_, .short): 10
        }
    }

    /// Options of the replicas beyond the usual ones.
    var replicaOptions: [String] {
        switch self {
        case .notificationsEmptied: ["--notifications", "set"]
        // A minute's backlog must not fit.
        case .slowHandler: ["--log-bytes", "65536", "--log-age", "9s"]
        // A backlog must fit, however old it grows.
        case .rollingBacklog, .reshardBacklog: ["--log-age", "10m"]
        case _ where hasCompanions: ["--companion", CompanionKeys.rule]
        default: []
        }
    }

    /// What the replicas print goes to a reader that can be slow.
    var hasReaders: Bool { [.slowHandler, .rollingBacklog, .reshardBacklog].contains(self) }

    /// Nodes that come back empty-handed need to be masters without a replica that would take their place.
    var replicasPerMaster: Int { self == .nodeRestart || self == .nodeRestartCompanions ? 0 : 1 }

    /// Does the fault, and returns when the last part of it is done.
    func strike(_ stage: Stage) async throws -> Trace {
        switch self {
        case .none: Trace()
        case .sigkill, .streamSigkill: try await stage.killLeader()
        case .sigterm: try await stage.terminateLeader()
        case .sigstop, .streamSigstop: try await stage.freezeLeader(for: stage.pace.freeze)
        case .rolling: try await stage.restartAllInTurn()
        case .upgrade: try await stage.restartAll(as: stage.builds)
        case .masterKilled: try await stage.killMaster()
        case .masterFrozen: try await stage.freezeMaster()
        case .failover: try await stage.failOver()
        case .newMaster: try await stage.addMaster()
        case .nodeLeaves: try await stage.removeMaster()
        case .feedsCut, .streamFeedsCut:
            try await stage.cutLeadersFeeds(for: stage.pace == .full ? .seconds(10) : .seconds(4))
        case .nodeCut, .nodeCutCompanions: try await stage.cutFeedsToOneNode(for: .seconds(2))
        case .halfOpen: try await stage.stallMaster()
        case .notificationsEmptied: try await stage.emptyNotifications()
        case .bufferLimit: try await stage.overrunBuffers(keys: stage.pace == .full ? 100_000 : 20_000)
        case .resetAndForged: try await stage.resetAndForge()
        case .allDown, .allDownCompanions: try await stage.stopAll(for: stage.pace.outage)
        case .nodeRestart: try await stage.restartNode(after: .zero)
        case .nodeRestartCompanions: try await stage.restartNode(after: .seconds(CompanionKeys.longest + 1))
        case .slowHandler: try await stage.slowHandlers(for: stage.pace.slowness)
        case .sentinelFailover: throw ThrowawayRedisError("this one has a stage of its own")
        case .streamResetAndKilled: try await stage.resetForgeAndKill()
        case .streamRegistersFlushed: try await stage.flushRegisters()
        case .streamMasterKilled: try await stage.killMasterOfPartition()
        case .streamFull: try await stage.fillMasterOfPartition(for: stage.pace == .full ? .seconds(10) : .seconds(5))
        case .work: try await stage.killWorkers(for: stage.pace == .full ? .seconds(20) : .seconds(6))
        case .rollingBacklog: try await stage.underBacklog { try await $0.restartAllInTurn() }
        case .reshardBacklog:
            try await stage.underBacklog { try await $0.moveSlotsToAndFro(for: $0.pace == .full ? 75 : 5) }
        }
    }
}
