import Console
import Glibc
import Spawning
import Supervision

/// How a process becomes the parent of a worker with the same command line.
enum Parent {
    /// The executable that is a parent and nothing else, beside this one.
    static let separate = "lapse-parent"

    /// Of the main thread: read there, before anything else.
    static let deathSignal = ParentDeathSignal.read()

    /// `O_PATH`, which Swift's module of glibc does not show.
    private static let onlyPath: Int32 = 0o10_000_000

    /// Becomes the parent, and does not return, if the options want one and there is none yet.
    ///
    /// - Parameter leaseTTL: zero for a worker without a lease, whose parent never releases any.
    static func take(over values: OptionValues, leaseTTL: Duration) throws(Failure) {
        let wanted = try values(Supervising.supervise)
        let choice = wanted ?? (getpid() == 1 && hasOwnProc ? .on : .off)
        let onCrash = try values(Supervising.onCrash) ?? .restart
        let report = try values(Supervising.crashReport) ?? .off
        guard choice == .on, Role.own.role == nil else { return }
        guard hasOwnProc else {
            throw .usage("--supervise on: /proc is that of another PID namespace: mount one, or --supervise off")
        }
        // The parent's descriptor, so that a worker begun after an upgrade is still of this version.
        let file = unsafe open("/proc/self/exe", onlyPath)
        guard file >= 0 else { throw failure() }
        let orders = ParentOrders(
            settings: .init(
                onCrash: onCrash, releaseLimit: releaseLimit(leaseTTL) + .seconds(2)),
            reportsCrashes: report == .on, form: try values.logFormat() == .json ? .json : .text,
            executable: "/proc/\(getpid())/fd/\(file)",
            name: CommandLine.arguments.first ?? "lapse", commandLine: Role.own.arguments)
        // It is to end with whom it was to end with.
        ParentDeathSignal.set(deathSignal)
        // What this process has loaded for reading its options goes with it.
        if let separate = besides() { execute(separate, [separate] + orders.words) }
        execute("/proc/self/exe", [orders.name, Role.parent.rawValue] + orders.words)
        throw failure()
    }

    /// Whether `/proc` shows the processes that this one can have as children.
    private static var hasOwnProc: Bool {
        var text = [CChar](repeating: 0, count: 32)
        let count = unsafe readlink("/proc/self", &text, text.count)
        guard count > 0, count < text.count else { return false }
        return String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) == "\(getpid())"
    }

    /// How long a release is tried: the lease ends meanwhile.
    static func releaseLimit(_ leaseTTL: Duration) -> Duration { min(leaseTTL, .seconds(10)) }

    /// Called first of all in a process whose role it is. Never returns.
    static func run(_ arguments: [String]) -> Never {
        guard let orders = ParentOrders(arguments) else {
            StandardStream.errors.write("lapse: \(Role.parent.rawValue) is not for use by hand")
            _exit(Failure.Code.usage.rawValue)
        }
        Supervisor.run(orders)
    }

    /// The path of the separate executable, whether or not it is there.
    private static func besides() -> String? {
        var path = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe readlink("/proc/self/exe", &path, path.count)
        guard count > 0, count < path.count, let slash = path[..<count].lastIndex(of: CChar(UInt8(ascii: "/"))) else {
            return nil
        }
        return String(decoding: path[...slash].map { UInt8(bitPattern: $0) }, as: UTF8.self) + separate
    }

    /// Returns only when it cannot be executed. The words are not given back then: the process ends soon.
    private static func execute(_ path: String, _ words: [String]) {
        let texts = unsafe words.map { unsafe strdup($0) } + [nil]
        _ = unsafe execv(path, texts)
    }

    private static func failure() -> Failure {
        Failure(.internal, "--supervise: no parent: \(unsafe String(cString: strerror(errno)))")
    }
}
