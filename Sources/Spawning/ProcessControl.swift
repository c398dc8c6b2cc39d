import Glibc

/// What prctl(2) says about this process and its children. Variadic in C, so that Swift does not see
/// it.
private enum ProcessControl {
    private typealias Call = @convention(c) (Int32, UInt, UInt, UInt, UInt) -> Int32

    @discardableResult
    static func call(_ operation: Int32, _ argument: UInt) -> Bool {
        guard let symbol = unsafe dlsym(nil, "prctl") else { return false }
        let call = unsafe unsafeBitCast(symbol, to: Call.self)
        return call(operation, argument, 0, 0, 0) == 0
    }
}

/// A process that is the parent of all that its descendants leave behind.
package enum Subreaper {
    /// From now on a process whose parent has ended becomes this one's child (PR_SET_CHILD_SUBREAPER), also
    /// when it left its group and session: so it stays a descendant.
    ///
    /// - Returns: whether the system lets it.
    package static func become() -> Bool { ProcessControl.call(36, 1) }
}

/// The signal that a process gets when the process that started it has ended (PR_SET_PDEATHSIG). It
/// belongs to a thread, and of the threads of a process the one that executes another program keeps its
/// own.
package enum ParentDeathSignal {
    /// Of this thread; 0 for none.
    package static func read() -> Int32 {
        var number: Int32 = 0
        _ = unsafe withUnsafeMutablePointer(to: &number) { number in
            ProcessControl.call(2, UInt(bitPattern: Int(bitPattern: number)))
        }
        return number
    }

    package static func set(_ number: Int32) { ProcessControl.call(1, UInt(number)) }
}
