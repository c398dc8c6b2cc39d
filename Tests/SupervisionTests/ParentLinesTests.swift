import Testing

@testable import Supervision

@Suite struct ParentLinesTests {
    @Test func theyAreTextOrJSONAsTheWorkersLog() {
        func line(_ form: ParentLines.Form) -> String {
            let text = "a \"b\\\u{1}é"
            return String(
                decoding: ParentLines(form: form).bytes(text, .error, seconds: 1_767_323_045, milliseconds: 8),
                as: UTF8.self)
        }
        #expect(line(.text) == "lapse: parent: a \"b\\\u{1}é\n")
        #expect(
            line(.json) == #"{"time":"2026-01-02T03:04:05.008Z","level":"error","message":"parent: a \"b\\\u0001é"}"#
                + "\n")
    }
}
