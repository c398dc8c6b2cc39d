import Lapse

/// The options of the subcommands that steer a group.
enum StepDown: OptionGroupTable {
    static let to = Setting.text(
        OptionRow(
            name: "to", value: "id", help: "The replica that is to lead next.", standardHelp: "whichever wins"))
    static let timeout = Setting.duration(
        OptionRow(
            name: "timeout", value: "duration", help: "How long to wait for what was asked for.", standard: "30s"))
    static let rows = [to.row, timeout.row]
}

enum Pausing: OptionGroupTable {
    static let length = Setting.duration(
        OptionRow(
            name: "for", value: "duration",
            help: "How long nothing is handed out: it ends by itself then, or after --log-age of the replicas."))
    static let rows = [length.row]
}
