/// The options of `lapse elect` that no other subcommand has.
enum Electing: OptionGroupTable {
    /// What to do when leadership is lost.
    enum Loss: String, CaseIterable, Sendable {
        /// End, for a supervisor to start it again.
        case exit
        /// Campaign again.
        case wait
    }

    static let onLoss = Setting<Loss>.choice(
        OptionRow(
            name: "on-loss",
            help: "When leadership is lost, after the program was stopped: exit with 75, or campaign again.",
            standard: "exit"))

    static let rows = [onLoss.row]
}
