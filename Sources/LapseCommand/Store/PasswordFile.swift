import FoundationEssentials

/// A file that holds one password and nothing else.
enum PasswordFile {
    /// - Throws: ``Failure`` that names the option and the file, never what is in it.
    static func read(_ path: String, _ row: OptionRow) throws(Failure) -> String {
        let data: Data
        do { data = try Data(contentsOf: URL(filePath: path)) } catch {
            throw .usage("\(row.flag): \(path) cannot be read: check that it exists and that this user may read it")
        }
        var text = String(decoding: data, as: UTF8.self)
        // Editors end a file with a newline; a password has none.
        while text.last?.isNewline ?? false { text.removeLast() }
        guard !text.isEmpty else { throw .usage("\(row.flag): \(path) is empty") }
        return text
    }
}
