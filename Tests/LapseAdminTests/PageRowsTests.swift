import Foundation
import Testing

@testable import LapseAdmin

private enum NodeJS {
    static let path = ["/usr/bin/node", "/usr/local/bin/node"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }
}

/// How the page's script fills a table, over a document of a few lines.
@Suite(.timeLimit(.minutes(1)), .enabled(if: NodeJS.path != nil, "no Node.js on this machine"))
struct PageRowsTests {
    private static let document = """
        class Row {
          constructor() { this.dataset = {}; this.children = []; this.className = ""; this.textContent = ""; }
          appendChild(cell) { this.children.push(cell); return cell; }
          remove() { body.children.splice(body.children.indexOf(this), 1); }
          get nextSibling() { return body.children[body.children.indexOf(this) + 1] || null; }
        }
        const document = { createElement: () => new Row() };
        const body = {
          children: [],
          get firstChild() { return this.children[0] || null; },
          insertBefore(row, at) {
            const was = this.children.indexOf(row);
            if (was >= 0) this.children.splice(was, 1);
            this.children.splice(at ? this.children.indexOf(at) : this.children.length, 0, row);
          }
        };
        const put = (node, text) => { node.textContent = text; };

        """

    @Test("rows that go are removed, those under one key too")
    func rowsThatGo() throws {
        let text = PageScript.text
        let begin = try #require(text.firstRange(of: "const fill =")).lowerBound
        let end = try #require(text.firstRange(of: "const feeds =")).lowerBound
        let use = """
            const shown = list => {
              fill(body, list, item => item, item => [[item]]);
              return body.children.map(row => row.children[0].textContent).join(",");
            };
            console.log([["a", "b"], ["a", "b", "b"], ["b", "b", "a"], ["a", "c"], ["c"], []].map(shown).join(";"));
            """
        let process = Process()
        process.executableURL = URL(filePath: try #require(NodeJS.path))
        process.arguments = ["-e", "\(Self.document)\(text[begin..<end])\(use)"]
        let output = Pipe()
        process.standardOutput = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(String(decoding: data, as: UTF8.self) == "a,b;a,b,b;b,b,a;a,c;c;\n")
    }
}
