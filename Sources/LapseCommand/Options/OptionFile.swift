import Configuration
import FoundationEssentials
import Synchronization

/// The file named by `--config`: YAML, and JSON, which is YAML too.
struct OptionFile: Sendable {
    let path: String
    /// Answers keys that are names of options.
    let provider: any ConfigProvider
    /// How the file spells the options it holds.
    private let spellings: [String: String]

    /// - Throws: ``Failure`` for a file that cannot be read, or holds a key that is no option.
    init(path: String, known: Set<String>) async throws(Failure) {
        self.path = path
        guard try !Self.saysNothing(path) else {
            spellings = [:]
            provider = InMemoryProvider(values: [:])
            return
        }
        // Code that decides which keys are secret gets to see every key.
        let seen = Mutex<[String]>([])
        let file: FileProvider<YAMLSnapshot>
        do {
            file = try await FileProvider(
                parsingOptions: .init(
                    secretsSpecifier: .dynamic { key, _ in
                        seen.withLock { $0.append(key) }
                        return true
                    }),
                config: ConfigReader(
                    provider: InMemoryProvider(values: ["filePath": ConfigValue(.string(path), isSecret: false)])))
        } catch {
            // The lines behind the first one quote the file, which may hold a password.
            let reason = "\(error)".prefix { !$0.isNewline }
            throw .usage("--config: \(path) cannot be read: \(reason)")
        }
        var spellings: [String: String] = [:]
        for key in seen.withLock({ $0 }).sorted() {
            let name = OptionRow.name(ofFileKey: key)
            guard known.contains(name) else {
                let near = Spelling.nearest(to: name, in: known).map { ": did you mean '\(Self.key($0))'?" }
                throw .usage("\(path): unknown key '\(key)'\(near ?? ": see lapse run --help for the options")")
            }
            if let other = spellings.updateValue(key, forKey: name) {
                throw .usage("\(path): '\(other)' and '\(key)' are the same option: keep one")
            }
        }
        for (name, key) in spellings {
            // YAML's null: written for "not given", and would be read as a text.
            let value = try? file.value(forKey: AbsoluteConfigKey([key]), type: .string).value
            guard case .string(let text)? = value?.content, Self.nulls.contains(text) else { continue }
            let word = text.isEmpty ? "" : " ('\(text)' is YAML's null)"
            throw .usage("\(path): '\(key)' has no value\(word): give --\(name) one, or leave it out")
        }
        self.spellings = spellings
        provider = file.mapKeys { [spellings] key in
            AbsoluteConfigKey([spellings[key.components[0]] ?? key.components[0]])
        }
    }

    /// How YAML writes that there is no value. The reader tells none of them from a text in quotation
    /// marks.
    private static let nulls: Set = ["", "~", "null", "Null", "NULL"]

    /// A larger file is none of options.
    private static let limitBytes = 1 << 20

    /// Whether it is empty, or holds comments or YAML's null alone: a file in which everything is commented
    /// out is no mistake.
    private static func saysNothing(_ path: String) throws(Failure) -> Bool {
        guard let file = FileManager.default.contents(atPath: path) else {
            // A pipe that can be read once only is left to the reader.
            guard !FileManager.default.fileExists(atPath: path), path.hasPrefix("~") else { return false }
            throw .usage("--config: \(path) cannot be read: no shell has replaced '~'; write the directory's name")
        }
        guard file.count <= limitBytes else { return false }
        let words = String(decoding: file, as: UTF8.self).split(whereSeparator: \.isNewline)
            .map { line in line.split(separator: " ").prefix { !$0.hasPrefix("#") }.joined(separator: " ") }
            .filter { !$0.isEmpty && $0 != "---" && $0 != "..." }
        return words.isEmpty || words == ["{}"] || words.count == 1 && nulls.contains(words[0])
    }

    /// Where an option stands, for an error about it.
    func place(of name: String) -> String { "\(spellings[name] ?? name) in \(path)" }

    private static func key(_ name: String) -> String { OptionRow(name: name, help: "").fileKey }
}
