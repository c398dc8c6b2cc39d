/// One row of the table of options: everything that flag, environment, file and help say about an
/// option.
struct OptionRow: Sendable {
    /// How many values an option takes.
    enum Arity: Sendable {
        case one
        /// Repeatable, and each text may name several: see ``OptionList``.
        case list
        /// The same for Redis globs, in which `\,` means a comma already.
        case globs
        /// Given or not; `true` or `false` elsewhere than on the command line.
        case flag
    }

    /// As in `--lease-ttl`, without the dashes.
    let name: String
    var arity = Arity.one
    /// What help calls the value.
    var value = ""
    let help: String
    /// The value where none is given, as one would write it.
    var standard: String?
    /// How help describes a default that is made up at the start.
    var standardHelp: String?
    /// Never shown, not even in an error about it.
    var isSecret = false
    /// What of a value may be shown where all options are; nil for all of it. A value that cannot be read
    /// is not shown where this is given.
    var shown: (@Sendable (String) -> String)?
    /// What completes a value in a shell.
    var completion = Completion.none

    enum Completion: Sendable {
        case none
        case file
        case choices([String])
    }

    var flag: String { "--\(name)" }

    /// `LAPSE_LEASE_TTL`
    var variable: String { "LAPSE_" + name.uppercased().replacing("-", with: "_") }

    /// `leaseTtl`
    var fileKey: String {
        let words = name.split(separator: "-")
        return words.dropFirst().reduce(String(words[0])) { $0 + $1.prefix(1).uppercased() + $1.dropFirst() }
    }

    /// The option that sets a property of the library's configuration.
    static func flag(ofProperty property: String) -> String {
        let name =
            switch property {
            case "databases": "database"
            case "companions": "companion"
            case "tls.authority": "tls-ca"
            case "tls.certificate": "tls-cert"
            case "tls.key": "tls-key"
            default: name(ofFileKey: property)
            }
        return "--\(name)"
    }

    /// The name of an option from a key in a file: `leaseTtl`, `leaseTTL`, `lease-ttl`, or `ttl` below
    /// `lease`.
    static func name(ofFileKey key: String) -> String {
        var name = ""
        var last: Character?
        for character in key {
            let isNewWord = character.isUppercase && (last?.isLowercase ?? false)
            if isNewWord || character == "." { name.append("-") }
            if character != "." { name += character.lowercased() }
            last = character
        }
        return name
    }
}

/// A group of options that belong together, such as those for the connection.
protocol OptionGroupTable: Sendable {
    static var rows: [OptionRow] { get }
}
