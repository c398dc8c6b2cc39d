/// Which build this is.
package enum BuildVersion {
    package static let text = "0.1.0"
    /// The commit it was made of. The image's build writes it here; a build by hand leaves it.
    package static let commit = "unknown"
}
