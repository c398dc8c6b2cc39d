import Endpoints
import RedisClient

/// A file that holds one password and nothing else, as an option names it.
enum PasswordFile {
    /// - Throws: ``Failure`` that names the option and the file, never what is in it.
    static func open(_ path: String, _ row: OptionRow) throws(Failure) -> SecretFile {
        do throws(SecretFile.Unusable) { return try SecretFile(path) } catch { throw .usage("\(row.flag): \(error)") }
    }
}
