import Foundation
import NIOSSL
import Testing
import ThrowawayRedis

@testable import Endpoints

/// Files that are renewed while the process runs.
@Suite struct RenewedFilesTests {
    private func write(_ text: String, _ path: URL, replacing: Bool = true) throws {
        try Data(text.utf8).write(to: path, options: replacing ? .atomic : [])
    }

    @Test func aSecretIsReadAgainWhenItsFileHasChanged() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "lapse-test-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: path) }
        try write("one\n", path)
        let file = try SecretFile(path.path)
        #expect(file.current == Secret("one"))
        try write("three\n", path)
        #expect(file.current == Secret("three"))
        // Written in place: the inode stays.
        try write("fourteen", path, replacing: false)
        #expect(file.current == Secret("fourteen"))
        // In the middle of a renewal.
        try FileManager.default.removeItem(at: path)
        #expect(file.current == Secret("fourteen"))
        try write("", path)
        #expect(file.current == Secret("fourteen"))
        try write("five", path)
        #expect(file.current == Secret("five"))
        #expect(Credentials(user: "u", file: file).password == Secret("five"))
    }

    @Test(arguments: [("", "is empty"), (String(repeating: "x", count: 100_000), "longer than any password")])
    func aFileWithoutAPasswordIsRefused(text: String, reason: String) throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "lapse-test-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: path) }
        try write(text, path)
        let error = #expect(throws: SecretFile.Unusable.self) { _ = try SecretFile(path.path) }
        #expect(error?.description.contains(reason) == true)
        #expect(throws: SecretFile.Unusable.self) { _ = try SecretFile("/nowhere") }
    }

    @Test func aCertificateIsReadAgainWithItsKey() async throws {
        let (first, second) = (try await ThrowawayCertificates.make(), try await ThrowawayCertificates.make())
        defer {
            first.remove()
            second.remove()
        }
        let files = TLSFiles(
            authority: first.authority.certificate.path, certificate: first.client.certificate.path,
            key: first.client.key.path)
        let renewed = try RenewedTLS(files) { configuration in
            _ = try NIOSSLContext(configuration: configuration)
            return configuration.certificateChain
        }
        let before = renewed.current()
        // A certificate whose key has not come yet is no pair: the old one serves.
        try Data(contentsOf: second.client.certificate).write(to: first.client.certificate, options: .atomic)
        var replaced = 0
        #expect(renewed.current { _ in replaced += 1 } == before)
        try Data(contentsOf: second.client.key).write(to: first.client.key, options: .atomic)
        #expect(renewed.current { _ in replaced += 1 } != before)
        #expect(replaced == 1)
    }
}
