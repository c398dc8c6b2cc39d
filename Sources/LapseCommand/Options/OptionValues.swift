import Configuration
import FoundationEssentials

/// What the options of one run are: a flag counts before the environment, that before the file, that
/// before the default.
struct OptionValues: Sendable {
    private struct Source: Sendable {
        let provider: any ConfigProvider
        /// Where an option stands in it, for an error about it; nil for the command line.
        let place: @Sendable (OptionRow) -> String?
    }

    private let reader: ConfigReader
    private let sources: [Source]

    /// - Throws: ``Failure`` when the file named by `--config` cannot be used.
    init(
        given: [String: [String]], environment: [String: String] = ProcessInfo.processInfo.environment,
        catalog: [OptionRow] = OptionCatalog.rows
    ) async throws(Failure) {
        let flags = catalog.compactMap { row in given[row.name].map { Self.entry(row, $0) } }
        // Empty is how compose files and manifests write "not set".
        let variables = environment.filter { $0.key.hasPrefix("LAPSE_") && !$0.value.isEmpty }
        try EnvironmentNames.check(variables.keys, known: Set(catalog.map(\.variable)))
        var sources = [
            Source(provider: InMemoryProvider(values: Dictionary(flags) { $1 }), place: { _ in nil }),
            Source(
                provider: EnvironmentVariablesProvider(environmentVariables: variables, secretsSpecifier: .all)
                    .prefixKeys(with: "lapse"), place: { $0.variable }),
        ]
        let path = given[Connection.config.row.name]?.last ?? variables[Connection.config.row.variable]
        if let path {
            guard !path.isEmpty else { throw .usage("--config: is empty: name a file, or leave it out") }
            let file = try await OptionFile(path: path, known: Set(catalog.map(\.name)))
            sources.append(Source(provider: file.provider, place: { file.place(of: $0.name) }))
        }
        let standards = catalog.compactMap { row in row.standard.map { Self.entry(row, [$0]) } }
        sources.append(Source(provider: InMemoryProvider(values: Dictionary(standards) { $1 }), place: { _ in nil }))
        self.sources = sources
        reader = ConfigReader(providers: sources.map(\.provider))
    }

    /// The value of an option; nil when it is given nowhere and has no default.
    func callAsFunction<Value>(_ setting: Setting<Value>) throws(Failure) -> Value? {
        let key = ConfigKey([setting.row.name])
        guard let text = reader.string(forKey: key, isSecret: true) else {
            guard reader.stringArray(forKey: key, isSecret: true) == nil else {
                throw malformed(setting.row, nil, "takes one value, not a list")
            }
            return nil
        }
        return try read(setting, text)
    }

    /// Whether an option is given, and does not only have its default.
    func isGiven(_ row: OptionRow) -> Bool {
        sources.dropLast().contains { Self.texts(AbsoluteConfigKey([row.name]), $0.provider) != nil }
    }

    /// Whether it was given with this command, and not for all of them.
    func isOnCommandLine(_ row: OptionRow) -> Bool {
        sources.first.map { Self.texts(AbsoluteConfigKey([row.name]), $0.provider) != nil } ?? false
    }

    /// All values of a repeatable option, from the first place that has any.
    func all<Value>(_ setting: Setting<Value>) throws(Failure) -> [Value] {
        let key = AbsoluteConfigKey([setting.row.name])
        let texts = sources.lazy.compactMap { Self.texts(key, $0.provider) }.first ?? []
        let parts = texts.flatMap { OptionList.parts(of: $0, isGlob: setting.row.arity == .globs) }
        return try parts.map { text throws(Failure) in try read(setting, text) }
    }

    /// What is given for an option, as it was written, and where; nil when it is given nowhere and has no
    /// default.
    func given(_ row: OptionRow) -> (texts: [String], from: String)? {
        for (index, source) in sources.enumerated() {
            guard let texts = Self.texts(AbsoluteConfigKey([row.name]), source.provider) else { continue }
            return (texts, source.place(row) ?? (index == 0 ? "command line" : "default"))
        }
        return nil
    }

    /// What stands in one place, as it was written: a list in a file, or one text.
    private static func texts(_ key: AbsoluteConfigKey, _ provider: any ConfigProvider) -> [String]? {
        if let found = try? provider.value(forKey: key, type: .string).value, case .string(let text) = found.content {
            return [text]
        }
        guard let found = try? provider.value(forKey: key, type: .stringArray).value,
            case .stringArray(let texts) = found.content
        else { return nil }
        return texts
    }

    /// An error about an option's value, which names the option and where it was given.
    func malformed(_ row: OptionRow, _ text: String?, _ reason: String) -> Failure {
        let place = place(row).map { " (\($0))" } ?? ""
        let isShown = !row.isSecret && row.shown == nil
        let value = text.map { isShown ? "'\($0)' " : "the value " } ?? ""
        return .usage("\(row.flag)\(place): \(value)\(reason)")
    }

    private static func entry(_ row: OptionRow, _ texts: [String]) -> (AbsoluteConfigKey, ConfigValue) {
        let isSingle = row.arity == .one || row.arity == .flag
        let content: ConfigContent = isSingle ? .string(texts.last ?? "") : .stringArray(texts)
        return (AbsoluteConfigKey([row.name]), ConfigValue(content, isSecret: true))
    }

    private func read<Value>(_ setting: Setting<Value>, _ text: String) throws(Failure) -> Value {
        do throws(Malformed) { return try setting.read(text) } catch { throw malformed(setting.row, text, error.text) }
    }

    /// Where the value that counts was given.
    private func place(_ row: OptionRow) -> String? {
        let key = AbsoluteConfigKey([row.name])
        let source = sources.first { source in
            [ConfigType.string, .stringArray].contains { type in
                (try? source.provider.value(forKey: key, type: type).value) != nil
            }
        }
        return source?.place(row)
    }
}
