import Console

/// Refuses `LAPSE_…` variables that stand for no option and are spelt nearly like one: that would be an
/// option silently not given. Of others it warns: they may be another program's.
enum EnvironmentNames {
    /// What Kubernetes sets in every container for a service named `lapse` or `lapse-…`, and what
    /// `lapse elect` and `--exec` hand to their programs, are no mistake; neither is what the tests read.
    private static let strangers = [
        "LAPSE_TERM", "LAPSE_TOKEN", "LAPSE_KEY", "LAPSE_KEY_BASE64", "LAPSE_NODE", "LAPSE_RUN_ID", "LAPSE_ORDINAL",
        "LAPSE_EVENT_ID", "LAPSE_ORIGIN", "LAPSE_ATTEMPT", "LAPSE_RECEIVED_AT", "LAPSE_DEADLINE", "LAPSE_LAG_MS",
        "LAPSE_BINARY", "LAPSE_SLOW_TESTS",
        "LAPSE_FUZZ_SEED",
    ]

    static func check(
        _ names: some Sequence<String>, known: Set<String>,
        warn: (String) -> Void = { FatalLine.write($0, level: .warning) }
    ) throws(Failure) {
        for name in names.sorted() where !known.contains(name) && !isStranger(name) {
            guard let near = Spelling.nearest(to: name, in: known) else {
                warn("environment variable \(Printable.text(name)) stands for no option: it is passed over")
                continue
            }
            throw Failure(
                .usage, "unknown environment variable \(name): it stands for no option. Did you mean \(near)?")
        }
    }

    private static func isStranger(_ name: String) -> Bool {
        strangers.contains(name) || name.contains("_SERVICE_HOST") || name.contains("_SERVICE_PORT")
            || name.hasSuffix("_PORT") || name.contains("_PORT_")
    }
}
