/// A password: it can be used, but never printed.
package struct Secret: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package let reveal: String

    package init(_ text: String) { reveal = text }

    package var description: String { "•••" }
    package var debugDescription: String { "•••" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// Whom a connection logs in as.
package struct Credentials: Sendable, Equatable {
    /// Nil for the default user (`requirepass`).
    package var user: String?
    package var password: Secret

    package init(user: String?, password: Secret) {
        self.user = user
        self.password = password
    }
}
