/// Refuses `LAPSE_…` variables that stand for no option: a misspelt one would be an option silently not given.
enum EnvironmentNames {
    /// What Kubernetes sets in every container for a service named `lapse` or `lapse-…`, and what `lapse elect` hands to its
    /// child, are no mistake; neither is what the tests read.
    private static let strangers = ["LAPSE_TERM", "LAPSE_TOKEN", "LAPSE_BINARY", "LAPSE_SLOW_TESTS", "LAPSE_FUZZ_SEED"]

    static func check(_ names: some Sequence<String>, known: Set<String>) throws(Failure) {
        for name in names.sorted() where !known.contains(name) && !isStranger(name) {
            let near = Spelling.nearest(to: name, in: known).map { " Did you mean \($0)?" } ?? ""
            throw Failure(.usage, "unknown environment variable \(name): it stands for no option.\(near)")
        }
    }

    private static func isStranger(_ name: String) -> Bool {
        strangers.contains(name) || name.contains("_SERVICE_HOST") || name.contains("_SERVICE_PORT")
            || name.hasSuffix("_PORT") || name.contains("_PORT_")
    }
}
