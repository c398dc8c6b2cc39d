import LeaderElection
import RESP
import Testing
import ThrowawayRedis

@testable import Lapse

struct GlobTests {
    /// Pattern, keys that match, keys that do not. Source: Redis documentation of KEYS, and its
    /// `stringmatchlen`.
    static let rules: [(String, [String], [String])] = [
        ("h?llo", ["hello", "hallo", "hxllo"], ["hllo", "heello", "hello "]),
        ("h*llo", ["hllo", "heeeello", "h*llo"], ["hll", "ello", "hllo2"]),
        ("h[ae]llo", ["hello", "hallo"], ["hillo", "hllo"]),
        ("h[^e]llo", ["hallo", "hbllo"], ["hello", "hllo"]),
        ("h[a-b]llo", ["hallo", "hbllo"], ["hcllo"]),
        ("h[b-a]llo", ["hallo", "hbllo"], ["hcllo"]),
        ("h\\*llo", ["h*llo"], ["hello"]),
        ("\\[x\\]", ["[x]"], ["x"]),
        ("*", ["", "a", "any thing"], []),
        ("", [""], ["a"]),
        ("a**b", ["ab", "axxb"], ["a", "abx"]),
        ("*:*:end", ["a:b:end", "::end", "a:b:c:end"], ["a:end", "a:b:end "]),
        ("session:*", ["session:", "session:42"], ["session", "asession:1"]),
        ("[]a", [], ["a", "]a"]),
        ("[^]a", ["xa", "]a"], ["a"]),
        ("[\\]]", ["]"], ["\\"]),
        ("[\\a-z]", ["a", "-", "z"], ["m", "\\"]),
        ("[a-]", ["]", "^", "_", "`", "a"], ["-", "b"]),
        ("[a-]x]", ["x", "a", "]"], ["-", "b"]),
        ("[abc", ["a", "b", "c"], ["[", "d", "[abc"]),
        ("[a-c", ["b"], ["-", "d"]),
        ("[^a", ["b"], ["a"]),
        ("a\\", ["a\\"], ["a"]),
        ("[", [], ["["]),
    ]

    @Test(arguments: rules)
    func followsTheRules(_ pattern: String, _ matching: [String], _ others: [String]) {
        let glob = Glob(pattern)
        #expect(glob.example("some").map { glob.matches($0) } == (matching.isEmpty ? nil : true))
        for key in matching { #expect(glob.matches(Array(key.utf8)), "\(pattern) matches \(key)") }
        for key in others { #expect(!glob.matches(Array(key.utf8)), "\(pattern) does not match \(key)") }
    }

    @Test func worksOnBytes() {
        #expect(Glob("a?b").matches([0x61, 0xff, 0x62]))
        #expect(Glob("?").matches([0]))
        #expect(!Glob("?").matches(Array("ä".utf8)), "two bytes")
        #expect(Glob("[ä]?").matches(Array("ä".utf8)))
        #expect(Glob("*\n*").matches(Array("a\nb".utf8)))
    }

    @Test func noPatternTakesForEver() {
        let glob = Glob(String(repeating: "*a", count: 40) + "b")
        #expect(!glob.matches(Array(repeating: UInt8(ascii: "a"), count: 2_000)))
    }

    @Test(.timeLimit(.minutes(1))) func agreesWithRedis() async throws {
        let server = try await ThrowawayServer.start()
        var random = RandomSource.seeded(4)
        func text(_ alphabet: String, _ length: ClosedRange<Int>) -> String {
            let count = Int.random(in: length, using: &random)
            return String((0..<count).map { _ in alphabet.randomElement(using: &random) ?? "a" })
        }
        var keys: Set<String> = []
        while keys.count < 60 { keys.insert(text("aab-]^[*\\", 1...4)) }
        let set = keys.map { "SET \"\(Self.escaped($0))\" 1" }
        try await server.script(set)
        var patterns = (0..<150).map { _ in text("aaab[]^-*?\\", 1...7) }
        patterns += ["[a-]", "[\\a-b]", "[^a-]b", "[a", "*[", "[^", "[^\\]]", "[-a]", "[a-b-]", "\\"]
        for pattern in patterns {
            let glob = Glob(pattern)
            let ours = keys.filter { glob.matches(Array($0.utf8)) }
            let theirs = try await Self.keys(of: server, pattern)
            #expect(ours == theirs, "pattern \(pattern)")
        }
        await server.shutDown()
    }

    private static func escaped(_ text: String) -> String { text.replacing("\\", with: "\\\\") }

    private static func keys(of server: ThrowawayServer, _ pattern: String) async throws -> Set<String> {
        let output = try await server.cli("KEYS", pattern)
        return Set(output.split(separator: "\n").map(String.init))
    }
}
