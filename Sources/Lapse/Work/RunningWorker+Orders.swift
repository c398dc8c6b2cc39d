import ExpirationStream
import LeaderElection
import Logging
import RedisClient
import Timing

/// The orders of the machine, each with its answer.
extension RunningWorker {
    /// An order for the stream.
    func perform(_ action: WorkMachine.Action) async -> WorkLoop.Report {
        switch action {
        case .read(let name, let limit):
            do throws(RedisError) {
                let found = try await read(name, limit: limit)
                worked("read", name)
                return .init(
                    event: .read(name, found.map(\.id), bytes: found.map(\.content.bytes)), partition: name,
                    found: found)
            } catch {
                if !stopped.isOpen { failed("read", name, error) }
                return .init(event: .readFailed(name))
            }
        case .claim(let name, let from, let limit): return await claim(name, from, limit)
        case .reclaim(let name, let from, let limit, let held): return await claim(name, from, limit, held: held)
        case .begin(let name, let begins, let done):
            do throws(RedisError) {
                let counts = try await stream.begin(name, begins, acknowledging: done)
                worked("begin", name)
                return .init(
                    event: .begun(name, counts), before: done.isEmpty ? nil : .acknowledged(name, done))
            } catch {
                failed("begin", name, error)
                return .init(
                    event: .beginFailed(name, begins.map(\.id)),
                    before: done.isEmpty ? nil : .acknowledgeFailed(name, done))
            }
        case .acknowledge(let name, let ids):
            do throws(RedisError) {
                try await stream.acknowledge(name, ids)
                worked("acknowledge", name)
                return .init(event: .acknowledged(name, ids))
            } catch {
                failed("acknowledge", name, error)
                return .init(event: .acknowledgeFailed(name, ids))
            }
        case .keep(let name, let ids):
            do throws(RedisError) {
                let kept = try await stream.keep(name, ids)
                worked("keep", name)
                return .init(event: .kept(name, lost: kept.lost, gone: kept.gone))
            } catch {
                failed("keep", name, error)
                return .init(event: .keepFailed(name))
            }
        case .leave(let name):
            do throws(RedisError) { sayDeleted(try await stream.leave(name), name) } catch {
                logger.warning(
                    "left without a word: others claim what this worker had",
                    metadata: ["stream": "\(name)", "error": "\(error)"])
            }
            return .init(event: .left(name))
        case .stopReading:
            await stopReading()
            return .init(event: nil)
        case .handle, .bury, .cancelHandlers, .wake: return .init(event: nil)
        }
    }

    private func claim(
        _ name: String, _ from: StreamID, _ limit: Int, held: [StreamID]? = nil
    ) async -> WorkLoop.Report {
        do throws(RedisError) {
            let claimed = try await stream.claim(name, from: from, limit: limit, held: held)
            worked("claim", name)
            metrics.claimed(claimed.found.count)
            sayDeleted(claimed.gone, name)
            if !claimed.found.isEmpty {
                logger.info(
                    "claimed", metadata: ["stream": "\(name)", "count": .stringConvertible(claimed.found.count)])
            }
            let (ids, bytes) = (claimed.found.map(\.id), claimed.found.map(\.content.bytes))
            return .init(
                event: .claimed(name, ids, bytes: bytes, next: claimed.next), partition: name, found: claimed.found)
        } catch {
            // The read makes it.
            if !Self.lacksGroup(error) { failed("claim", name, error) }
            return .init(event: .claimFailed(name))
        }
    }

    /// Says how many entries are lost, if any are.
    private func sayDeleted(_ count: Int, _ name: String) {
        guard count > 0 else { return }
        metrics.deletedUnhandled(count)
        logger.error(
            "entries were deleted before they were handled",
            metadata: [
                "stream": "\(name)", "count": .stringConvertible(count),
                "fix": "keep the stream longer than its slowest group takes",
            ])
    }

    /// Looks for partitions that are new.
    func look() async -> WorkLoop.Report {
        do throws(RedisError) {
            let partitions = try await stream.partitions(of: configuration.stream)
            worked("layout", configuration.stream)
            return .init(event: .partitions(partitions), hasLooked: true)
        } catch {
            failed("layout", configuration.stream, error)
            return .init(event: nil, hasLooked: true)
        }
    }

    /// One attempt. Returns why it failed; nil when the entry is handled.
    func handle(_ job: AttemptQueue.Job, _ deadline: Deadline) async -> WorkMachine.AttemptFailure? {
        let (entry, content) = (job.entry, job.content.entry)
        let expiration = content.expiration(at: entry.id)
        let context = WorkContext(
            attempt: job.attempt, entry, content, group: configuration.group, logger: logger)
        let began = SystemClock.glance().monotonic
        let (handler, spans) = (handler, spans)
        deadline.start(began)
        do {
            if let spans {
                try await spans.around(expiration, attempt: job.attempt, term: content.term) {
                    try await handler(expiration, context)
                }
            } else {
                try await handler(expiration, context)
            }
            deadline.end()
            let now = SystemClock.glance()
            metrics.handled(expiration, in: now.monotonic - began, wall: now.wall)
            return nil
        } catch {
            // Whether it heeded the cancellation or not: it has not handled it in its time.
            let overran = deadline.stop()
            return failed(job, overran ? AttemptOverran(timeout: configuration.handlerTimeout) : error, began)
        }
    }

    private func failed(
        _ job: AttemptQueue.Job, _ error: any Error, _ began: Int64
    ) -> WorkMachine.AttemptFailure {
        metrics.handlerTook(SystemClock.glance().monotonic - began)
        let text = "\(error)".cut(toBytes: DeadLetterRecord.errorLimit)
        if !cancelled.isOpen {
            metrics.failed()
            logger.warning(
                "handler failed",
                metadata: [
                    "key": "\(configuration.logKeys.text(job.content.entry.key))", "node": "\(job.content.entry.node)",
                    "attempt": .stringConvertible(job.attempt), "error": "\(text)",
                ])
        }
        return .init(
            text: text, advice: (error as? any AdvisesOnAttempts)?.anotherAttempt ?? .asConfigured,
            random: .random(in: 0..<1))
    }

    /// Writes a dead letter, to the stream or to the log.
    func bury(
        _ entry: WorkEntry, _ content: StreamEntry?, attempts: Int, _ error: String
    ) async -> WorkMachine.Event {
        if let key = configuration.deadLetter {
            let record = DeadLetterRecord(
                key: content?.key ?? [], database: UInt16(clamping: content?.database ?? 0),
                node: content?.node ?? "", runID: content?.runID ?? "", ordinal: content?.ordinal ?? 0,
                origin: content?.origin ?? ExpirationOrigin.live.rawValue, attempts: UInt64(max(0, attempts)),
                error: error,
                term: content?.term ?? 0, token: content?.token ?? 0, value: content?.value,
                deadline: content?.knownDeadline,
                source: .init(stream: entry.partition, group: configuration.group, entry: "\(entry.id)"))
            do throws(RedisError) {
                _ = try await stream.client.send(record.adding(to: key, limit: DeadLetters.streamLimit), key: key)
                worked("dead letter", key)
            } catch {
                failed("dead letter", key, error)
                return .buryFailed(entry)
            }
        }
        metrics.deadLettered()
        logger.error(
            "dead-lettered",
            metadata: [
                "key": "\(configuration.logKeys.text(content?.key ?? []))", "node": "\(content?.node ?? "")",
                "position": "\(content?.runID ?? ""):\(content?.ordinal ?? 0)", "stream": "\(entry.partition)",
                "entry": "\(entry.id)", "attempts": .stringConvertible(attempts), "error": "\(error)",
            ])
        return .buried(entry)
    }
}

extension StreamEntry {
    /// - Parameter id: of the entry: its time is when it was appended.
    func expiration(at id: StreamID) -> Expiration {
        Expiration(
            key: ExpirationKey(bytes: key), database: UInt16(clamping: database),
            process: .bounded(runID: runID, node: node), ordinal: ordinal,
            origin: ExpirationOrigin(rawValue: origin) ?? .live,
            receivedMilliseconds: id.milliseconds, value: value, deadline: knownDeadline)
    }

    /// Any client may have written it.
    fileprivate var knownDeadline: KnownDeadline? {
        deadline.flatMap { KnownDeadline(milliseconds: $0, lag: lagMilliseconds ?? 0) }
    }
}
