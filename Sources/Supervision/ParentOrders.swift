/// What a parent is told on its command line: `ON-CRASH RELEASE-LIMIT-MS CRASH-REPORT LOG-FORMAT
/// EXECUTABLE NAME` and the worker's command line.
package struct ParentOrders: Sendable, Equatable {
    package var settings: SupervisorMachine.Settings
    /// Whether a crash may write its report and a core dump first.
    package var reportsCrashes: Bool
    /// Of its own lines.
    package var form: ParentLines.Form
    /// The file of worker and releaser, by a path that stays theirs when another file takes its place.
    package var executable: String
    /// What they are called.
    package var name: String
    package var commandLine: [String]

    package init(
        settings: SupervisorMachine.Settings, reportsCrashes: Bool, form: ParentLines.Form, executable: String,
        name: String, commandLine: [String]
    ) {
        self.settings = settings
        self.reportsCrashes = reportsCrashes
        self.form = form
        self.executable = executable
        self.name = name
        self.commandLine = commandLine
    }

    /// Nil for what this version does not write.
    package init?(_ words: [String]) {
        guard words.count >= 6, let onCrash = SupervisorMachine.Settings.OnCrash(rawValue: words[0]),
            let limit = Int64(words[1]), (1...100_000).contains(limit), words[2] == "on" || words[2] == "off",
            let form = ParentLines.Form(rawValue: words[3]), words[4].hasPrefix("/proc/")
        else { return nil }
        self.init(
            settings: .init(onCrash: onCrash, releaseLimit: .milliseconds(limit)), reportsCrashes: words[2] == "on",
            form: form, executable: words[4], name: words[5], commandLine: Array(words.dropFirst(6)))
    }

    package var words: [String] {
        [
            settings.onCrash.rawValue, "\(Int64(settings.releaseLimit / .milliseconds(1)))",
            reportsCrashes ? "on" : "off", form.rawValue, executable, name,
        ] + commandLine
    }

    func words(_ role: Role) -> [String] { [name, role.rawValue] + commandLine }
}
