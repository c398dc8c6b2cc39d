import FoundationEssentials
import Glibc
import Lapse

/// What the kernel tells of this process, under the names that Prometheus' own clients use. Read when
/// asked for.
struct ProcessFigures: Equatable {
    var cpuSeconds: Double
    var threads: UInt64
    /// Seconds since 1970.
    var startTime: Double
    /// Bytes.
    var virtualMemory: UInt64
    var residentMemory: UInt64

    /// - Parameters:
    ///   - stat: `/proc/self/stat`.
    ///   - bootTime: seconds since 1970.
    init?(stat: String, bootTime: Double, ticksPerSecond: Double, pageSize: UInt64) {
        // The program's name may hold blanks and parentheses.
        guard let name = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: name)...].split(whereSeparator: \.isWhitespace)
        // proc(5) counts from 1, and the first one here is its third.
        func number(_ field: Int) -> UInt64? { field - 3 < fields.count ? UInt64(fields[field - 3]) : nil }
        guard let user = number(14), let system = number(15), let threads = number(20), let start = number(22),
            let size = number(23), let pages = number(24), ticksPerSecond > 0
        else { return nil }
        cpuSeconds = (Double(user) + Double(system)) / ticksPerSecond
        self.threads = threads
        startTime = bootTime + Double(start) / ticksPerSecond
        virtualMemory = size
        residentMemory = pages.multipliedReportingOverflow(by: pageSize).partialValue
    }

    /// Of this process, now; nil where there is no procfs.
    static func now() -> ProcessFigures? {
        guard let stat = text("/proc/self/stat"), let system = text("/proc/stat"),
            let boot = system.split(separator: "\n").first(where: { $0.hasPrefix("btime ") }),
            let bootTime = Double(boot.dropFirst("btime ".count))
        else { return nil }
        return ProcessFigures(
            stat: stat, bootTime: bootTime, ticksPerSecond: Double(sysconf(Int32(_SC_CLK_TCK))),
            pageSize: UInt64(max(0, sysconf(Int32(_SC_PAGESIZE)))))
    }

    /// In the format of the metrics' page.
    var rendered: String {
        var text = PrometheusText()
        render(into: &text)
        return text.text
    }

    private func render(into text: inout PrometheusText) {
        let none = LabelSet([])
        func add(_ name: String, _ help: String, _ value: Double, kind: MetricDeclaration.Kind = .gauge) {
            text.header(name, kind: kind, help: help)
            text.sample(name, labels: none, value: value)
        }
        add("process_cpu_seconds_total", "Processor time spent, user and system.", cpuSeconds, kind: .counter)
        if let files = Self.openFiles() {
            add("process_open_fds", "Open file descriptors.", Double(files.open))
            add("process_max_fds", "The most file descriptors that may be open.", Double(files.most))
        }
        add("process_resident_memory_bytes", "Memory in use.", Double(residentMemory))
        add("process_start_time_seconds", "When the process began, in seconds since 1970.", startTime)
        add("process_threads", "Threads of the process.", Double(threads))
        add("process_virtual_memory_bytes", "Address space in use.", Double(virtualMemory))
    }

    private static func openFiles() -> (open: Int, most: UInt64)? {
        var limit = rlimit()
        guard let open = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd"),
            unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
        else { return nil }
        return (open.count, UInt64(limit.rlim_cur))
    }

    private static func text(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }
}
