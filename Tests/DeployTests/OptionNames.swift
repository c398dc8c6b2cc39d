/// The options that a text names: `--lease-ttl` as a flag, or `LAPSE_LEASE_TTL` as a name in the
/// environment.
struct OptionNames: Equatable {
    var flags: Set<String> = []
    var variables: Set<String> = []

    /// The flag that a name in the environment stands for.
    static func flag(for variable: String) -> String {
        "--" + variable.dropFirst("LAPSE_".count).lowercased().replacing("_", with: "-")
    }

    /// Comments count too: they are what people copy from.
    init(in text: some StringProtocol) {
        for token in text.split(whereSeparator: { !Self.belongs($0) }) {
            if token.hasPrefix("--"), let first = token.dropFirst(2).first, first.isLowercase {
                flags.insert(String(token))
            } else if token.hasPrefix("LAPSE_"), token.count > "LAPSE_".count {
                variables.insert(String(token))
            }
        }
    }

    private static func belongs(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber || character == "-" || character == "_")
    }
}
