import Glibc

/// The children of this process, also those that it has adopted.
enum Children {
    /// Sends a signal to each child. Its own children are adopted when it has ended.
    static func signalAll(_ number: Int32) {
        for pid in all() { _ = kill(pid, number) }
    }

    static func all() -> [Int32] { listed() ?? found() }

    /// As the kernel lists those of a thread, and this process has one. Nil where it does not
    /// (`CONFIG_PROC_CHILDREN`). A child that is missing while others end is there at the next look.
    private static func listed() -> [Int32]? {
        let descriptor = unsafe open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { _ = close(descriptor) }
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1024)
        while true {
            let count = unsafe read(descriptor, &buffer, buffer.count)
            if count < 0 { return nil }
            if count == 0 { break }
            text += buffer[..<count]
        }
        return text.split(separator: UInt8(ascii: " ")).compactMap { Int32(String(decoding: $0, as: UTF8.self)) }
    }

    /// Looked for among all processes: slower where there are many.
    private static func found() -> [Int32] {
        guard let folder = unsafe opendir("/proc") else { return [] }
        defer { unsafe closedir(folder) }
        let own = getpid()
        var children: [Int32] = []
        while let entry = unsafe readdir(folder) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let pid = Int32(name), parent(of: pid) == own { children.append(pid) }
        }
        return children
    }

    private static func parent(of pid: Int32) -> Int32? {
        let descriptor = unsafe open("/proc/\(pid)/stat", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { _ = close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 512)
        let count = unsafe read(descriptor, &buffer, buffer.count)
        guard count > 0, let name = buffer[..<count].lastIndex(of: UInt8(ascii: ")")) else { return nil }
        // Behind the name, which may hold anything, come the state and the parent.
        let words = buffer[name..<count].split(separator: UInt8(ascii: " "))
        return words.count > 2 ? Int32(String(decoding: words[2], as: UTF8.self)) : nil
    }
}
