import ExpirationStream
package import RedisClient

/// One entry of one partition.
package struct WorkEntry: Sendable, Hashable {
    /// The stream's key.
    package var partition: String
    package var id: StreamID

    package init(_ partition: String, _ id: StreamID) {
        self.partition = partition
        self.id = id
    }

    /// Different before equal: the IDs of two entries mostly differ, and are compared faster.
    package static func == (left: WorkEntry, right: WorkEntry) -> Bool {
        left.id == right.id && left.partition == right.partition
    }

    /// Without the partition, whose entries hardly ever have the IDs of another's.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(id)
    }
}

/// What an entry says: it is handed about, and large.
final class WorkContent: Sendable {
    let entry: StreamEntry

    init(_ entry: StreamEntry) { self.entry = entry }

    /// About what it takes in memory.
    var bytes: Int {
        // Entries of one answer share the last two, as long as they are the same.
        512 + entry.id.utf8.count + entry.key.count + (entry.value?.count ?? 0) + entry.node.utf8.count
            + entry.runID.utf8.count
    }
}

/// Why an entry has no content for a handler.
enum NoExpiration: Error, CustomStringConvertible {
    case foreign
    case tooLarge(bytes: Int64)

    var description: String {
        switch self {
        case .foreign: "it is no expiration: its fields are not those that lapse writes"
        case .tooLarge(let bytes): "it is too large to be taken in: \(bytes) bytes"
        }
    }
}

extension Result<WorkContent, NoExpiration> {
    /// About what it takes in memory.
    var bytes: Int { if case .success(let content) = self { content.bytes } else { 0 } }
}

/// Where an entry is on its way through a worker.
enum WorkPhase: Sendable, Equatable {
    /// In hand; no attempt has begun.
    case ready
    /// The stream is asked to count an attempt.
    case beginning
    /// A handler has it.
    case running(attempt: Int)
    /// It has failed, and is tried again later.
    case waiting
    /// It goes to the dead letters, at once or (after a failure) later.
    case burying(attempts: Int, error: String)
    /// Handled, or buried: the stream is to be told.
    case done
}
