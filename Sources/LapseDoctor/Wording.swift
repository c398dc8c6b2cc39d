/// How durations and sizes are written in findings.
enum Wording {
    /// `0 s`, `12 ms`, `3.4 s`, `12 min`, `2.5 h`.
    static func duration(_ duration: Duration) -> String {
        let seconds = duration / .seconds(1)
        return switch abs(seconds) {
        case 0: "0 s"
        case ..<0.001: "under 1 ms"
        case ..<1: "\(Int((seconds * 1000).rounded())) ms"
        case ..<120: "\(tenths(seconds)) s"
        case ..<7200: "\(Int((seconds / 60).rounded())) min"
        default: "\(tenths(seconds / 3600)) h"
        }
    }

    static func megabytes(_ bytes: Int) -> String { "\(tenths(Double(bytes) / 1_048_576)) MiB" }

    static func count(_ number: Int, _ one: String, _ many: String) -> String {
        "\(number) \(number == 1 ? one : many)"
    }

    private static func tenths(_ value: Double) -> String {
        let rounded = (value * 10).rounded() / 10
        return rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
    }
}
