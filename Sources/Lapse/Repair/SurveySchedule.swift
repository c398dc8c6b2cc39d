/// When a leader asks its peers what its own log cannot tell. At rest nothing is asked. A pure value;
/// ``tick()`` is called each second.
///
/// - A log without a living feed: each second while answers come, else every other, until its feed
///   lives or the log is over.
/// - What lies before a log, and what a process that is gone left: once, and again while a peer is
///   silent or when a replica comes.
struct SurveySchedule {
    private struct Entry {
        /// The second in which it may be asked; nil when it need not be asked again.
        var due: Int? = 0
        var tries = 0
    }

    private struct Subject: Hashable {
        var runID: String
        var survey: Repairer.Survey
    }

    private var second = 0
    private var entries: [Subject: Entry] = [:]

    /// How often it is asked while a peer keeps silent. One whose only feed is dead, and which hears no
    /// question, finds out within seven seconds. The log of a living process must not stand still for that.
    private static func limit(_ survey: Repairer.Survey) -> Int { survey == .before ? 3 : 10 }

    /// A second has passed.
    mutating func tick() { second += 1 }

    /// A replica has come, or has come back: it may have heard what no replica could tell so far.
    mutating func reset() { entries = [:] }

    /// Whether to ask now; then it counts as asked.
    mutating func asks(_ runID: String, _ survey: Repairer.Survey) -> Bool {
        let subject = Subject(runID: runID, survey: survey)
        guard let due = entries[subject, default: Entry()].due, due <= second else { return false }
        entries[subject, default: Entry()].due = nil
        return true
    }

    /// - Parameter foundSome: whether something has come.
    mutating func settled(_ runID: String, _ survey: Repairer.Survey, _ end: RepairInquiry.End, foundSome: Bool) {
        let subject = Subject(runID: runID, survey: survey)
        var entry = entries[subject, default: Entry()]
        switch (end, survey) {
        case (.cut, _): entry.due = second
        case (.unanswered, .before), (.unanswered, .behind):
            entry.tries += 1
            if entry.tries < Self.limit(survey) { entry.due = second }
        case (.answered, .before), (.answered, .behind): break
        case (_, .meanwhile), (_, .processes):
            entry.due = second + (foundSome ? 1 : 2)
        }
        entries[subject] = entry
    }
}
