/// How `lapse status` looks.
enum Looking: OptionGroupTable {
    enum Awaited: String, CaseIterable, Sendable { case leader }

    static let watch = Setting.flag(
        "watch", "Look again each second, until interrupted; with --json a line for each look.")
    static let wait = Setting<Awaited>.choice(
        OptionRow(name: "wait", help: "Look until there is one, at most for --timeout.", standardHelp: "look once"))
    static let own = [watch.row, wait.row]
    static let rows = own + [StepDown.timeout.row]
}
