/// The output buffer of subscribers is not smaller than Redis' own default: a burst beyond it cuts the
/// feed off, and what was not sent is gone.
struct OutputBufferCheck: Check {
    private static let normalHard = 32 << 20
    private static let normalSoft = 8 << 20
    private static let normalSeconds = 60
    /// What one announcement takes in the buffer, measured with keys of some twenty bytes.
    private static let bytesPerEvent = 72

    func findings(_ facts: DeploymentFacts) -> [DoctorFinding] {
        facts.answering.filter { !$0.isLockServer }.compactMap { node in
            guard let limits = node.setting("client-output-buffer-limit").flatMap(Self.pubsub) else { return nil }
            // Zero is no limit.
            let isHardSmall = limits.hard > 0 && limits.hard < Self.normalHard
            let isSoftSmall =
                limits.soft > 0 && (limits.soft < Self.normalSoft || limits.seconds < Self.normalSeconds)
            guard isHardSmall || isSoftSmall else { return nil }
            let first = isHardSmall ? limits.hard : limits.soft
            return DoctorFinding(
                .warns, "output-buffer", at: node.address, "the output buffer of subscribers is small",
                "client-output-buffer-limit pubsub is \(limits.hard) \(limits.soft) \(limits.seconds): a burst of about "
                    + "\(first / Self.bytesPerEvent) expirations cuts the feed off, and what was not sent is lost.",
                fix: facts.command(
                    on: node.address, "CONFIG", "SET", "client-output-buffer-limit", "pubsub 32mb 8mb 60"))
        }
    }

    /// `normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60`
    private static func pubsub(_ text: String) -> (hard: Int, soft: Int, seconds: Int)? {
        let words = text.split(separator: " ")
        guard let start = words.firstIndex(of: "pubsub") else { return nil }
        let numbers = words[(start + 1)...].prefix(3).compactMap { Int($0) }
        return numbers.count == 3 ? (numbers[0], numbers[1], numbers[2]) : nil
    }
}
