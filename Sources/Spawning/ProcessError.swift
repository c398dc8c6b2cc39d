/// Why a child process could not be started, in one line that names the thing and the fix.
package struct ProcessError: Error, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
