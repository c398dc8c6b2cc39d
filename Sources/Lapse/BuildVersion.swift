/// Which build this is.
package enum BuildVersion {
    package static let text = "0.1.0"
    /// The commit it was made of. The image's build writes it here; who builds by hand knows it.
    package static let commit = "unknown"
}
