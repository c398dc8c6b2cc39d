/// Why a `mysql://` URL cannot be used, with the fix. It repeats nothing of the URL that could be a
/// secret.
package struct MySQLURLError: Error, Equatable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}
