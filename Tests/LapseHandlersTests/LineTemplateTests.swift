import Testing

@testable import LapseHandlers

@Suite struct LineTemplateTests {
    private func line(_ key: String, _ number: Int) -> String { "{\"key\":\"\(key)\",\"ordinal\":\(number),\"x\":1}\n" }

    private func append(_ template: LineTemplate, _ key: String, _ number: Int, to lines: inout [UInt8]) {
        // Unsafe in name only: a byte has no padding.
        unsafe template.append(to: &lines, Array(key.utf8).span.bytes, Array("\(number)".utf8))
    }

    @Test("a line behind others is taken, and written again with another key and number")
    func again() {
        var template = LineTemplate()
        #expect(!template.fits(key: 0, digits: 0), "of nothing there is no second")
        let before = "what stood before\n"
        let bytes = Array((before + line("cart:1", 99)).utf8)
        let begin = before.utf8.count
        template.take(bytes[begin...], key: begin + 8..<begin + 14, digits: begin + 26..<begin + 28)
        #expect(template.fits(key: 6, digits: 2))
        #expect(!template.fits(key: 7, digits: 2) && !template.fits(key: 6, digits: 3))
        var lines: [UInt8] = []
        append(template, "cart:2", 10, to: &lines)
        append(template, "user:7", 11, to: &lines)
        #expect(String(decoding: lines, as: UTF8.self) == line("cart:2", 10) + line("user:7", 11))
        template.clear()
        #expect(!template.fits(key: 6, digits: 2))
    }
}
