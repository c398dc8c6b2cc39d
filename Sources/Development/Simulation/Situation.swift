/// What a month of operation brings beside faults that come one by one: each case is a kind of defect
/// that was first seen on real processes, as FAULTS numbers it, and that 100 000 seeds of single faults
/// had not found.
package enum Situation: String, CaseIterable, Sendable {
    /// 101. The Sentinels go on naming a dead master while the promoted one announces.
    case staleView = "stale-view"
    /// 53. A feed delivers for seconds what was announced at once, PONG behind it.
    case slowFeed = "slow-feed"
    /// 108. A master hands over to its replica while a feed still delivers what it announced.
    case failoverInBurst = "failover-in-burst"
    /// 70. A counter rises without an event.
    case silentCounter = "silent-counter"
    /// 56. Registers refuse writes and go on announcing.
    case fullStore = "full-store"
    /// 52. The user may not write beside the progress it reads.
    case unreadableProgress = "unreadable-progress"
    /// 60. One process under two addresses.
    case alias
    /// 62. A server of another deployment answers at a node's address for a while.
    case foreignNode = "foreign-node"
    /// 54. One key expires far more often than its handler can follow.
    case hotKey = "hot-key"
    /// 50. Messages on the control and event channels that no replica and no server sent.
    case hostileMessages = "hostile-messages"
    /// 102. The counter is reset while no replica runs.
    case unheardReset = "unheard-reset"
    /// 116. The counter is reset, or forged messages come, while some replicas hear it and the leader does
    ///   not.
    case halfHeardReset = "half-heard-reset"
    /// 103. A master dies for good after the leader's feed to it broke and the followers' did not.
    case deadMaster = "dead-master"
    /// 104. The leader's feed is down for longer than a log keeps what the followers hear.
    case deafLeader = "deaf-leader"
    /// 105. Every replica restarts in turn while the leader has a backlog.
    case rollingRestart = "rolling-restart"
    /// 106. Handlers and retries take longer than a log keeps what they are about.
    case longHandlers = "long-handlers"
    /// 107. Slots move for longer than the view is remembered, while a backlog waits.
    case movingSlots = "moving-slots"
    /// 112. A hole is larger than one answer.
    case smallAnswers = "small-answers"
    /// 117. A register is promoted without its last vote, or without the time that the vote was to last.
    case stalePromotion = "stale-promotion"
    /// 119. A dead leader's last word on its progress reaches one register late.
    case lateWord = "late-word"
    /// 109. One replica counts other registers than its group.
    case otherRules = "other-rules"
    /// 51. A register's progress is damaged.
    case damagedProgress = "damaged-progress"
    /// 81. The locks are keys of the servers, and run out while no replica listens.
    case ownLocks = "own-locks"
    /// 54. The slots of some keys are between two servers: what is asked about them is answered by
    ///   TRYAGAIN.
    case stuckSlots = "stuck-slots"
    /// 8. The leader is stopped within its lease, while a question to its peers is open, until their
    ///   answers are gone.
    case stoppedQuestion = "stopped-question"
    /// 116. What replicas tell the registers and each other is refused once, and taken when it is told
    ///   again.
    case refusedTelling = "refused-telling"
    /// A claim's first try is refused, and the answer comes after its second try has won.
    case lateRefusal = "late-refusal"
    /// A relay before a server brings expirations and swallows marks.
    case swallowedMarks = "swallowed-marks"
    /// No Sentinel is in reach for longer than a log keeps an expiration, and a master is frozen meanwhile.
    case noSentinels = "no-sentinels"
    /// 70. A counter rises without an event, replicas find that out one after the other, and the leader
    /// dies meanwhile.
    case silentTakeover = "silent-takeover"
    /// 109. Replicas with leases of different lengths: a rolling restart with another one, or one replica
    ///   with other registers besides, which the others' rules do not reach for a while.
    case otherLease = "other-lease"
    /// 81. One of a leader's own locks runs out in the middle of its term, while no replica listens there.
    case lapsedMidTerm = "lapsed-mid-term"
    /// Handlers take batches of a node.
    case batches
    /// 88. The handling of some keys kills the process.
    case poison
}

/// What stays as it is for a whole run.
package struct Conditions: Sendable, Equatable {
    var lease: Duration = .seconds(2)
    /// That of replicas which begin after the first ones, and that of the stranger.
    var laterLease: Duration?
    var strangerLease: Duration?
    /// How long a log keeps an expiration, in whole seconds, and how much of it.
    var logAge: Duration = .seconds(60)
    var logBytes = 64 << 20
    /// So small that logs are trimmed at all: a run's expirations would fit into one chunk, and no chunk
    /// goes before its last one.
    var chunkBytes = 64
    /// The most that one peer answers to one question.
    var answerBytes: Int?
    /// The most expirations taken up and not finished.
    var pendingLimit: Int?
    /// How long the Sentinels go on naming the former master, in milliseconds.
    var viewLag: ClosedRange<Int>?
    /// The lone server is known under a second address.
    var hasAlias = false
    /// The first replica counts one register, the middle one, and has rules of its own.
    var hasStranger = false
    var lookEvery: Duration = .seconds(1)
    /// Whether a replica may write what it tells the others beside the progress.
    var mayNoteMembers = true
    /// Handlers take batches of at most this size; nil: one expiration each.
    var batchLimit: Int?
    /// How many keys kill the process that handles them.
    var poisonousKeys = 0
    /// No companions and no keys that come again.
    var hasPlainKeysOnly = false
}
