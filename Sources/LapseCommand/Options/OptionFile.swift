import Configuration
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
        self.spellings = spellings
        provider = file.mapKeys { [spellings] key in
            AbsoluteConfigKey([spellings[key.components[0]] ?? key.components[0]])
        }
    }

    /// Where an option stands, for an error about it.
    func place(of name: String) -> String { "\(spellings[name] ?? name) in \(path)" }

    private static func key(_ name: String) -> String { OptionRow(name: name, help: "").fileKey }
}
