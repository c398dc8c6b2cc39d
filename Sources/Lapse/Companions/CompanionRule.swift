import RESP

/// Which key holds the value of an expiring one: `session:* => session-data:*`. A pure value.
///
/// The text in place of the star is carried over, byte for byte. Everything else is literal.
package struct CompanionRule: Sendable, Hashable {
    /// A key with a star in it.
    package struct Pattern: Sendable, Hashable {
        package let prefix: [UInt8]
        package let suffix: [UInt8]

        /// The text in place of the star; nil when the key does not match.
        func star(_ key: some Collection<UInt8>) -> [UInt8]? {
            guard key.count >= prefix.count + suffix.count, key.starts(with: prefix),
                key.dropFirst(key.count - suffix.count).elementsEqual(suffix)
            else { return nil }
            return Array(key.dropFirst(prefix.count).dropLast(suffix.count))
        }

        /// Whether there is a text that, in place of the star, makes this key.
        func matches(_ key: RawSpan) -> Bool {
            key.byteCount >= prefix.count + suffix.count && key.starts(with: prefix) && key.ends(with: suffix)
        }

        package func key(_ star: [UInt8]) -> [UInt8] { prefix + star + suffix }

        /// As Redis' MATCH and an ACL take it.
        package var glob: String { String(decoding: prefix + [UInt8(ascii: "*")] + suffix, as: UTF8.self) }
    }

    /// Whether a timer and its companion live in the same slot of a cluster.
    package enum SlotKinship: Sendable, Equatable {
        /// For every key.
        case always
        /// For no key.
        case never
        /// For the keys that bring a hash tag with them.
        case byKey
    }

    package let timer: Pattern
    package let companion: Pattern

    /// Reads `TIMER => COMPANION`, with one star on each side.
    package init(_ text: String) throws(LapseError) {
        func wrong(_ reason: String) -> LapseError { .configuration("companions", "'\(text)' \(reason)") }
        let sides = text.split(separator: "=>", omittingEmptySubsequences: false).map { $0.trimmed }
        guard sides.count == 2, !sides[0].isEmpty, !sides[1].isEmpty else {
            throw wrong("is no rule: write 'session:* => session-data:*'")
        }
        guard sides.allSatisfy({ side in side.count { $0 == "*" } == 1 }) else {
            throw wrong("needs exactly one * on each side: its text is carried over to the companion")
        }
        guard sides.allSatisfy({ side in !side.contains(where: { #"?[]\^"#.contains($0) }) }) else {
            throw wrong(#"has one of ? [ ] \ ^ in it: apart from the one * a rule is literal text"#)
        }
        guard sides[0] != sides[1] else {
            throw wrong("names a key as its own companion: give the companion another name")
        }
        timer = Self.pattern(sides[0])
        companion = Self.pattern(sides[1])
    }

    private static func pattern(_ text: Substring) -> Pattern {
        let parts = text.split(separator: "*", omittingEmptySubsequences: false)
        return Pattern(prefix: Array(parts[0].utf8), suffix: Array(parts[1].utf8))
    }

    /// The companion of a timer; nil when the rule does not speak of that key.
    package func companion(of timer: some Collection<UInt8>) -> [UInt8]? {
        self.timer.star(timer).map { companion.key($0) }
    }

    /// The timer of a companion; nil when the rule does not speak of that key.
    package func timer(of companion: some Collection<UInt8>) -> [UInt8]? {
        self.companion.star(companion).map { timer.key($0) }
    }

    /// What the rule alone tells about slots.
    package var kinship: SlotKinship {
        switch (Tag(timer), Tag(companion)) {
        case (.fixed(let left), .fixed(let right)): left == right ? .always : .never
        default: .byKey
        }
    }

    /// What decides about the slot of a pattern's keys.
    private enum Tag: Equatable {
        case fixed([UInt8])
        /// The star's text has a say.
        case open

        init(_ pattern: Pattern) {
            guard let start = pattern.prefix.firstIndex(of: UInt8(ascii: "{")),
                let end = pattern.prefix[start...].firstIndex(of: UInt8(ascii: "}")), end > start + 1
            else {
                self = .open
                return
            }
            self = .fixed(Array(pattern.prefix[(start + 1)..<end]))
        }
    }
}

extension CompanionRule: CustomStringConvertible {
    package var description: String { "\(timer.glob) => \(companion.glob)" }
}

/// All rules; the first that speaks of a timer counts.
package struct CompanionRules: Sendable {
    package let rules: [CompanionRule]

    package init(_ texts: [String]) throws(LapseError) {
        var rules: [CompanionRule] = []
        for text in texts {
            let rule = try CompanionRule(text)
            guard !rules.contains(where: { $0.timer == rule.timer }) else {
                throw .configuration("companions", "two rules for \(rule.timer.glob): only the first could ever count")
            }
            rules.append(rule)
        }
        self.rules = rules
    }

    package var isEmpty: Bool { rules.isEmpty }

    /// The companion of a timer, and the number of the rule that says so.
    package func companion(of timer: some Collection<UInt8>) -> (key: [UInt8], rule: Int)? {
        for (index, rule) in rules.enumerated() {
            if let key = rule.companion(of: timer) { return (key, index) }
        }
        return nil
    }

    /// Companions are never expirations, not even when a client gave one a time to live.
    package func isCompanion(_ key: RawSpan) -> Bool {
        rules.contains { $0.companion.matches(key) }
    }

    /// Throws for a rule that can never work in a cluster.
    package func checkForCluster() throws(LapseError) {
        for rule in rules where rule.kinship == .never {
            throw .configuration(
                "companions",
                "'\(rule)' puts each key and its companion into different slots of the cluster: "
                    + "give both the same {tag}")
        }
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        let start = drop(while: \.isWhitespace)
        guard let last = start.lastIndex(where: { !$0.isWhitespace }) else { return start }
        return start[...last]
    }
}
