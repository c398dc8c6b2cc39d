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
    /// Nil for none; an empty one is that of a user with `nopass`.
    private let fixed: Secret?
    /// Where the password is renewed; nil for one that never changes.
    private let file: SecretFile?

    /// The file that holds the password, where one does.
    package var passwordPath: String? { file?.path }

    /// Whether there is anything to log in with.
    package var hasPassword: Bool { file != nil || fixed != nil }

    /// - Parameter password: nil where only the user is known.
    package init(user: String?, password: Secret?) {
        self.user = user
        fixed = password
        file = nil
    }

    package init(user: String?, file: SecretFile) {
        self.user = user
        fixed = nil
        self.file = file
    }

    /// The same password for another user.
    package func named(_ user: String) -> Credentials {
        var copy = self
        copy.user = user
        return copy
    }

    /// The password to log in with now.
    package var password: Secret { file?.current ?? fixed ?? Secret("") }
}
