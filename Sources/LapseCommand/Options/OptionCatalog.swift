/// Every option of every subcommand: what a file may hold, so that one file serves them all.
enum OptionCatalog {
    static let rows =
        Connection.rows + Election.rows + Candidacy.rows + Electing.rows + Wanted.rows + OnTime.rows + LogLines.rows
        + Running.rows + Webhook.rows + Streaming.rows + Supervising.rows
        + Results.rows + StepDown.rows + Pausing.rows + Tracing.rows + Looking.own
        + Examination.own + Health.own + DeadLetterSelection.own + DeadLetterMatching.rows
        + Working.own
}
