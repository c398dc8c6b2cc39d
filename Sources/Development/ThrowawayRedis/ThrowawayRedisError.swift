/// What went wrong with a throwaway Redis, in one line that names the thing and the fix.
package struct ThrowawayRedisError: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
