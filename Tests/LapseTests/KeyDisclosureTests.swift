import Testing

@testable import Lapse

/// What of a key is told.
@Suite struct KeyDisclosureTests {
    @Test(
        "the digests are those of FIPS 180-4",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
            (
                String(repeating: "a", count: 1_000),
                "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3"
            ),
        ])
    func digest(text: String, hex: String) {
        let digest = SHA256.digest(of: Array(text.utf8)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(digest == hex)
    }

    @Test("full cuts after 1 KiB and says the length, hash and off hide the key")
    func texts() {
        let key = Array("session:42".utf8)
        #expect(KeyDisclosure.full.text(key) == "session:42")
        #expect(KeyDisclosure.off.text(key) == "-")
        let hash = KeyDisclosure.hash.text(key)
        #expect(hash.hasPrefix("sha256:") && hash.utf8.count == 23 && !hash.contains("42:"))
        #expect(KeyDisclosure.hash.text(key) == hash && KeyDisclosure.hash.text(Array("session:43".utf8)) != hash)
        let long = KeyDisclosure.full.text(Array(repeating: UInt8(ascii: "k"), count: 5_000))
        #expect(long == String(repeating: "k", count: 1024) + "… (5000 bytes)")
    }

    @Test("what the page shows of the latest events follows the setting")
    func recent() throws {
        let recent = RecentEvents(keys: .hash)
        recent.wantSamples(1)
        recent.sample(Expiration(key: ExpirationKey(bytes: Array("secret".utf8))), delay: 1, now: 2)
        let subject = try #require(recent.latest[.handled]?.first?.subject)
        #expect(subject.hasPrefix("sha256:") && !subject.contains("secret"))
    }
}
