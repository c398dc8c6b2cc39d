import Supervision

/// The options for the parent of `lapse run`, `lapse elect` and `lapse work`.
enum Supervising: OptionGroupTable {
    enum Choice: String, CaseIterable, Sendable {
        case on, off
    }

    static let supervise = Setting<Choice>.choice(
        OptionRow(
            name: "supervise",
            help:
                "Run below a parent that restarts a worker that died, releases its lease, and reaps what it left behind.",
            standardHelp: "on as PID 1, else off"))
    static let onCrash = Setting<SupervisorMachine.Settings.OnCrash>.choice(
        OptionRow(
            name: "on-crash", help: "When a supervised worker has crashed: start another, or exit with its code.",
            standard: "restart"))
    static let crashReport = Setting<Choice>.choice(
        OptionRow(
            name: "crash-report",
            help:
                "Let a supervised worker that crashes write a backtrace and a core dump; its lease is kept meanwhile.",
            standard: "off"))

    static let rows = [supervise.row, onCrash.row, crashReport.row]
}
