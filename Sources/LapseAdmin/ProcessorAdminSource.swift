import FoundationEssentials
package import Lapse

/// Answers the admin port's questions from a processor.
package struct ProcessorAdminSource: AdminSource {
    private let processor: ExpirationProcessor

    package init(_ processor: ExpirationProcessor) { self.processor = processor }

    package func liveness() -> String? { processor.liveness() }

    package func readiness() -> [String] { processor.readiness() }

    package func notices() -> [String] { processor.notices() }

    package func statusJSON() -> [UInt8] {
        guard let status = processor.status else { return Self.json(processor.startingStatus) }
        return Self.json(status)
    }

    private static func json(_ status: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(status)).map { Array($0) } ?? Array("{}".utf8)
    }

    package func figures() -> ViewFigures? { processor.figures() }

    package func view(samples: Int) async -> GroupView? { await processor.view(samples: samples) }

    package func refreshGauges() { processor.refreshMetrics() }
}
