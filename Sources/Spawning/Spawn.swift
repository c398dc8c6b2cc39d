import Glibc

/// How a process is started: what it inherits is written down, and nothing else is passed on.
package struct Spawn: Sendable {
    /// The program and its arguments.
    package var words: [String]
    /// The file to run where it is not what the first word says.
    package var path: String?
    /// `NAME=value`, all of them.
    package var environment: [String]
    /// Nil for /dev/null.
    package var input: Int32?
    package var output: Int32?
    /// Nil for what `output` is.
    package var errors: Int32?
    /// A descriptor that the child has as number 3.
    package var control: Int32?
    /// An interrupt typed at the terminal does not reach it.
    package var hasOwnGroup = true
    /// Signals that stay ignored if they are.
    package var keptSignals: [Int32] = []

    package init(_ words: [String], environment: [String]) {
        self.words = words
        self.environment = environment
    }

    /// Starts it from this thread; returns its pid. The caller reaps it.
    ///
    /// - Throws: ``ProcessError`` when it cannot be started.
    package func start() throws(ProcessError) -> Int32 {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        if let input {
            unsafe posix_spawn_file_actions_adddup2(&actions, input, 0)
        } else {
            unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        if let output {
            unsafe posix_spawn_file_actions_adddup2(&actions, output, 1)
        } else {
            unsafe posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        }
        unsafe posix_spawn_file_actions_adddup2(&actions, errors ?? 1, 2)
        if let control { unsafe posix_spawn_file_actions_adddup2(&actions, control, 3) }
        // Sockets of the parent must not live on in a server.
        if let closeFrom = unsafe closeFrom { _ = unsafe closeFrom(&actions, control == nil ? 3 : 4) }

        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        var standard = sigset_t()
        unsafe sigemptyset(&none)
        unsafe sigfillset(&standard)
        for number in keptSignals { unsafe sigdelset(&standard, number) }
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setsigdefault(&attributes, &standard)
        var flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        if hasOwnGroup {
            unsafe posix_spawnattr_setpgroup(&attributes, 0)
            flags |= POSIX_SPAWN_SETPGROUP
        }
        unsafe posix_spawnattr_setflags(&attributes, Int16(flags))

        var arguments = unsafe words.map { unsafe strdup($0) } + [nil]
        var variables = unsafe environment.map { unsafe strdup($0) } + [nil]
        defer {
            unsafe (arguments + variables).forEach { unsafe free($0) }
        }
        var pid: pid_t = 0
        let path = path ?? words[0]
        let failure = unsafe posix_spawn(&pid, path, &actions, &attributes, &arguments, &variables)
        guard failure == 0 else {
            throw ProcessError("cannot start \(words[0]): \(unsafe String(cString: strerror(failure)))")
        }
        return pid
    }
}

private typealias CloseFrom = @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32

/// glibc has it since 2.34, but Swift's module of glibc does not show the calls beyond POSIX.
private let closeFrom: CloseFrom? = unsafe dlsym(
    nil, "posix_spawn_file_actions_addclosefrom_np"
).map { unsafe unsafeBitCast($0, to: CloseFrom.self) }
