import Foundation
import ThrowawayRedis

extension Stage {
    /// Keeps what tells how a run went: the replicas' logs, and what Redis announced and no replica
    /// handled, with node and time.
    func keepEvidence(in folder: URL) throws {
        try group.copyLogs(to: folder)
        for worker in workers { try Data(worker.log.utf8).write(to: folder.appending(path: "\(worker.id).log")) }
        let handled = group.handledKeys
        let lines = witness.sightings.filter { !handled.contains($0.key) }.map { sighting in
            "\(sighting.time.ISO8601Format(.iso8601(timeZone: .gmt, includingFractionalSeconds: true))) "
                + "\(sighting.node) \(sighting.key)\n"
        }
        try lines.joined().write(to: folder.appending(path: "unhandled.txt"), atomically: true, encoding: .utf8)
    }
}
