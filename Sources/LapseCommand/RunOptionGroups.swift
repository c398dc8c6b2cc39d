import ArgumentParser

/// The options of `lapse run`, also those of `lapse config`: a command line needs only another word.
struct RunOptionGroups: ParsableArguments {
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup(title: "Election") var election: GivenOptions<Election>
    @OptionGroup(title: "Candidacy") var candidacy: GivenOptions<Candidacy>
    @OptionGroup(title: "Keys") var wanted: GivenOptions<Wanted>
    @OptionGroup(title: "Punctuality") var onTime: GivenOptions<OnTime>
    @OptionGroup(title: "Service") var running: GivenOptions<Running>
    @OptionGroup(title: "Webhook") var webhook: GivenOptions<Webhook>
    @OptionGroup(title: "Stream") var streaming: GivenOptions<Streaming>
    @OptionGroup(title: "Supervision") var supervising: GivenOptions<Supervising>
    @OptionGroup(title: "Logs") var logLines: GivenOptions<LogLines>

    static let rows =
        Connection.rows + Election.rows + Candidacy.rows + Wanted.rows + OnTime.rows + Running.rows + Webhook.rows
        + Streaming.rows + Supervising.rows + LogLines.rows

    func values() async throws(Failure) -> OptionValues {
        try await OptionValues(
            given: connection, election, candidacy, wanted, onTime, running, webhook, streaming, supervising, logLines)
    }
}
