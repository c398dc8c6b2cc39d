import Testing

@testable import Endpoints

struct HostAndPortTests {
    @Test(
        arguments: [
            ("db", "db", nil), ("db:1", "db", 1), ("10.0.0.1:65535", "10.0.0.1", 65535), ("[::1]", "::1", nil),
            ("[fd00::2]:7000", "fd00::2", 7000),
        ] as [(String, String, Int?)])
    func reads(text: String, host: String, port: Int?) throws {
        let address = try HostAndPort(text[...])
        #expect(address.host == host && address.port == port)
    }

    @Test(arguments: [
        ("", "host is missing"), (":1", "host is missing"), ("[]", "host is missing"), ("db:", "1 to 65535"),
        ("db:0", "1 to 65535"), ("db:65536", "1 to 65535"), ("db:+1", "1 to 65535"), ("db:geheim", "1 to 65535"),
        ("db:99999999999999999999", "1 to 65535"), ("::1", "in brackets"), ("::1:6379", "in brackets"),
        ("[::1", "']' is missing"), ("[::1]6379", "behind ']'"), ("[::1]:", "1 to 65535"), ("[[::1]", "a bracket"),
        ("a b", "a space"), ("a]:1", "a bracket"),
    ])
    func namesTheMistakeAndRepeatsNothing(text: String, words: String) {
        let error = #expect(throws: URLMistake.self) { try HostAndPort(text[...]) }
        #expect(error?.description.contains(words) == true, "\(String(describing: error))")
        #expect(error?.description.contains("geheim") == false)
    }

    @Test func percentIsDecoded() throws {
        #expect(try String(percentEncoded: "a%3Ab%C3%A4%25", "user") == "a:bä%")
        for text in ["%", "%4", "%zz", "%+1", "%ff"] {
            let error = #expect(throws: URLMistake.self) { try String(percentEncoded: text[...], "user") }
            #expect(error?.description.contains("user") == true)
        }
    }
}
