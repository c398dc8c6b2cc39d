/// The roles that a process of one command line can have: its first word says which, and the rest is
/// the command line.
package enum Role: String, Sendable {
    /// Before the command line come the words of ``ParentOrders``.
    case parent = "__supervise"
    /// Gets its end of the link as descriptor 3.
    case worker = "__worker"
    /// The worker before it may have stopped in the middle of a line of output.
    case workerAfterCrash = "__worker-again"
    /// Releases the claim on standard input, once, and writes nothing to standard output.
    case releaser = "__release"

    /// The role of a process, and its own command line.
    package static func split(_ arguments: [String]) -> (role: Role?, arguments: [String]) {
        guard let word = arguments.first, let role = Role(rawValue: word) else { return (nil, arguments) }
        return (role, Array(arguments.dropFirst()))
    }
}
