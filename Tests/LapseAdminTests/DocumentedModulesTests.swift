import Foundation
import Testing

/// The manual's list of modules is that of `Package.swift`, in its order.
///
/// The manifest refuses an order in which a module uses one below it, so neither has the list one.
struct DocumentedModulesTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    /// The folders in `Sources` of the targets that the manifest declares.
    private static func declared() throws -> [String] {
        let manifest = try text("Package.swift")
        let declarations = manifest.matches(
            of: /(?:\.(?:target|executableTarget|testTarget)\(\s*name: |\b(example)\()"([^"]+)"/)
        let ends = declarations.dropFirst().map(\.range.lowerBound) + [manifest.endIndex]
        return zip(declarations, ends).compactMap { declaration, end in
            let name = String(declaration.output.2)
            if declaration.output.1 != nil { return "Examples/\(name)" }
            guard !declaration.output.0.hasPrefix(".testTarget") else { return nil }
            let path = manifest[declaration.range.upperBound..<end].firstMatch(of: /path: "([^"]+)"/)?.output.1
            guard let path else { return name }
            return path.hasPrefix("Sources/") ? String(path.dropFirst("Sources/".count)) : nil
        }
    }

    @Test func theListIsThatOfTheManifest() throws {
        let declared = try Self.declared()
        #expect(declared.count > 30 && declared.first == "CHiredisReader", "not read as it is written: \(declared)")
        for folder in declared {
            let isThere = FileManager.default.fileExists(atPath: Self.root.appending(path: "Sources/\(folder)").path)
            #expect(isThere, "\(folder)")
        }
        let page = try Self.text("Sources/Lapse/Lapse.docc/Architecture.md")
        let section = try #require(page.split(separator: "\n## ").first { $0.hasPrefix("Modules\n") })
        let listed = section.matches(of: /\n  ([A-Za-z\/]+)\/ +[^ \n]/).map { String($0.output.1) }
        #expect(listed == declared)
    }
}
