import ExpirationStream

/// The key of a stream of expirations, as an operator names it.
enum StreamName {
    /// Why it cannot be one, if so.
    static func trouble(_ key: String) -> String? {
        do throws(StreamKeys.Unusable) {
            _ = try StreamKeys(key)
            return nil
        } catch { return error.description }
    }
}
