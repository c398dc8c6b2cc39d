import ArgumentParser
import Foundation
import Testing

@testable import LapseCommand

/// What `scripts/manual` makes the man pages of.
@Suite struct ManualPagesTests {
    private struct Manual: Decodable { var command: Page }

    private struct Page: Decodable {
        struct Argument: Decodable {
            var abstract: String?
            var shouldDisplay: Bool
        }
        var commandName: String
        var abstract: String?
        var arguments: [Argument]?
        var subcommands: [Page]?

        /// The names of its pages, and of those below it.
        func names(below parents: String = "") -> [String] {
            let name = parents + commandName
            return [name] + (subcommands ?? []).flatMap { $0.names(below: name + ".") }
        }
    }

    private static func names(of command: any ParsableCommand.Type, below parents: String = "") -> [String] {
        let name = parents + (command.configuration.commandName ?? "?")
        return [name] + command.configuration.subcommands.flatMap { names(of: $0, below: name + ".") }
    }

    @Test("each subcommand has a page, with a summary, and each option that it shows has a text")
    func everySubcommandIsThere() async throws {
        let run = try await LapseBinary.run(["--experimental-dump-help"])
        let manual = try JSONDecoder().decode(Manual.self, from: Data(run.output.utf8))
        let pages = manual.command.names().filter { $0 != "lapse.help" }
        #expect(pages.sorted() == Self.names(of: LapseCommand.self).sorted() && pages.count > 15)
        func check(_ page: Page) {
            #expect(page.abstract?.isEmpty == false, "\(page.commandName)")
            let shown = (page.arguments ?? []).filter(\.shouldDisplay)
            if page.commandName != "help" {
                #expect(shown.allSatisfy { $0.abstract?.isEmpty == false }, "\(page.commandName): \(shown)")
            }
            for page in page.subcommands ?? [] { check(page) }
        }
        check(manual.command)
    }
}
