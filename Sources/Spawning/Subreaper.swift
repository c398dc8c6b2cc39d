import Glibc

/// A process that is the parent of all that its descendants leave behind.
package enum Subreaper {
    private typealias Control = @convention(c) (Int32, UInt, UInt, UInt, UInt) -> Int32

    /// From now on a process whose parent has ended becomes this one's child (PR_SET_CHILD_SUBREAPER), also when it left its
    /// group and session: so it stays a descendant.
    package static func become() {
        // Variadic in C, so that Swift does not see it.
        guard let symbol = unsafe dlsym(nil, "prctl") else { return }
        let control = unsafe unsafeBitCast(symbol, to: Control.self)
        _ = control(36, 1, 0, 0, 0)
    }
}
