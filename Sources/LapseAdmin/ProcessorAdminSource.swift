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
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let status = processor.status, let data = try? encoder.encode(status) else {
            return Array(
                #"{"formatVersion":\#(ProcessorStatus.formatVersion),"isLeader":false,"nodes":[],"role":"starting"}"#
                    .utf8)
        }
        return Array(data)
    }

    package func figures() -> ViewFigures? { processor.figures() }

    package func view(samples: Int) async -> GroupView? { await processor.view(samples: samples) }

    package func refreshGauges() { processor.refreshMetrics() }
}
