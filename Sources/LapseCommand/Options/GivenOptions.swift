import ArgumentParser

/// The options of a group as the command line gave them.
///
/// The parser learns the options of a type from its properties. Here the properties are the rows of the
/// table, shown to it by a mirror, so that no option is written down a second time. A test reads every
/// row back.
struct GivenOptions<Table: OptionGroupTable>: ParsableArguments, Sendable {
    /// The values of each option that was given, by its name.
    private(set) var values: [String: [String]] = [:]

    init() {}

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: RowKey.self)
        for row in Table.rows {
            let key = RowKey(row)
            switch row.arity {
            case .one:
                if let value = try container.decode(Option<String?>.self, forKey: key).wrappedValue {
                    values[row.name] = [value]
                }
            case .list, .globs:
                let given = try container.decode(Option<[String]>.self, forKey: key).wrappedValue
                if !given.isEmpty { values[row.name] = given }
            case .flag:
                if try container.decode(Flag<Bool>.self, forKey: key).wrappedValue { values[row.name] = ["true"] }
            }
        }
    }
}

extension GivenOptions: CustomReflectable {
    var customMirror: Mirror {
        Mirror(
            self, children: Table.rows.map { row in (label: RowKey(row).stringValue, value: Self.property(row)) },
            displayStyle: .struct)
    }

    private static func property(_ row: OptionRow) -> Any {
        let name = NameSpecification.customLong(row.name)
        let help = ArgumentHelp(stringLiteral: row.helpLine)
        var named = help
        named.valueName = row.value
        switch row.arity {
        case .one: return Option<String?>(name: name, help: named, completion: row.completionKind)
        case .list, .globs: return Option<[String]>(wrappedValue: [], name: name, parsing: .singleValue, help: named)
        case .flag: return Flag<Bool>(wrappedValue: false, name: name, help: help)
        }
    }
}

extension OptionRow {
    fileprivate var completionKind: CompletionKind? {
        switch completion {
        case .choices(let words): .list(words)
        case .file: .file()
        case .none: value == "file" ? .file() : nil
        }
    }

    fileprivate var helpLine: String {
        let standard = arity == .flag ? nil : standardHelp ?? standard
        let repeats = arity == .list || arity == .globs ? " Repeatable." : ""
        return help + repeats + (standard.map { " (default: \($0))" } ?? "")
    }
}

private struct RowKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(_ row: OptionRow) { stringValue = row.fileKey }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { return nil }
}

extension OptionValues {
    /// What several groups of the command line were given.
    init<each Table: OptionGroupTable>(given groups: repeat GivenOptions<each Table>) async throws(Failure) {
        var given: [String: [String]] = [:]
        for group in repeat each groups { given.merge(group.values) { $1 } }
        try await self.init(given: given)
    }
}
