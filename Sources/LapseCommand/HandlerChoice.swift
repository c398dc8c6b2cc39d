import Console
import Endpoints
import Lapse
import LapseHandlers
import LapseWebhook
import Processes

/// What `lapse run` does with an expiration.
enum HandlerChoice: Sendable {
    case builtIn(BuiltInHandler)
    case exec([String], hidden: Set<String>)
    case execStream(ExecStreamHandler)
    case webhook(WebhookHandler)
    case webhookBatches(WebhookBatchHandler)
    /// As the configuration says.
    case stream

    /// - Parameter appends: whether `--stream` is one of the choices: a worker reads from the stream.
    /// - Throws: usage, where two are chosen, or one that can never work.
    init(
        _ values: OptionValues, _ configuration: ProcessorConfiguration, environment: [String: String],
        appends: Bool = true
    ) throws {
        let choices =
            [Running.handler.row, Running.exec.row, Running.execStream.row, Webhook.url.row]
            + (appends ? [Streaming.stream.row] : [])
        let rows = choices.filter { values.isGiven($0) }
        guard rows.count < 2 else {
            throw Failure.usage("\(rows[0].flag) and \(rows[1].flag) exclude each other: give one of them")
        }
        if try values(Webhook.url) == nil,
            let lonely = [Webhook.secretFile.row, Webhook.authority.row, Webhook.batch.row].first(where: {
                values.isGiven($0)
            })
        {
            throw Failure.usage("\(lonely.flag) is about webhooks, and there is none: give --webhook URL")
        }
        if let program = try values(Running.exec) {
            self = .exec(try Self.words(program, Running.exec.row), hidden: SecretVariables.names(in: environment))
        } else if let program = try values(Running.execStream) {
            self = .execStream(
                ExecStreamHandler(
                    try Self.words(program, Running.execStream.row), replica: configuration.id,
                    without: SecretVariables.names(in: environment)))
        } else if let url = try values(Webhook.url) {
            let size = try values(Webhook.batch) ?? 1
            guard size == 1 || appends else {
                throw Failure.usage("--webhook-batch: a worker handles its entries one by one; leave it out")
            }
            guard size == 1 || configuration.companions.isEmpty else {
                throw Failure.usage(
                    "--webhook-batch: with --companion each expiration goes alone; leave one of them out")
            }
            let handler = try Self.webhook(url, values, configuration)
            guard size > 1 else {
                self = .webhook(handler)
                return
            }
            var configuration = configuration
            configuration.outlastsOutages(values)
            self = .webhookBatches(WebhookBatchHandler(handler, size: size, retries: configuration.retries))
        } else {
            self = configuration.stream == nil ? .builtIn(try values(Running.handler) ?? .log) : .stream
        }
    }

    private static func words(_ program: CommandWords, _ row: OptionRow) throws -> [String] {
        guard Executable.search(program.words[0]) != nil else {
            throw Failure.usage("\(row.flag): there is no program '\(program.words[0])' that can be run; give its path")
        }
        MissingSetpriv.warn(row.flag, "a program goes on when lapse is killed")
        return program.words
    }

    private static func webhook(
        _ url: WebhookURL, _ values: OptionValues, _ configuration: ProcessorConfiguration
    ) throws -> WebhookHandler {
        let files = try values.all(Webhook.secretFile).map { path throws(Failure) in
            do throws(SecretFile.Unusable) { return try SecretFile(path) } catch {
                throw Failure.usage("--webhook-secret-file: \(error)")
            }
        }
        let authority = try values(Webhook.authority)
        let onUnusable: @Sendable (String) -> Void = {
            FatalLine.write("--webhook-secret-file: \($0)", level: .error)
        }
        guard authority == nil || url.isEncrypted else {
            throw Failure.usage("--webhook-tls-ca: the URL is http, which has no certificates; write https")
        }
        do {
            return try WebhookHandler(
                url, secrets: try WebhookSecrets(files, onUnusable: onUnusable),
                files: authority.map { TLSFiles(authority: $0) },
                replica: configuration.id, timeout: configuration.handlerTimeout,
                connections: configuration.concurrency)
        } catch let error as WebhookSecrets.Unusable {
            throw Failure.usage("--webhook-secret-file: \(error)")
        } catch let error as TLSFiles.Unusable {
            throw Failure.usage("\(error)")
        }
    }

    /// Whether a receiver over the network may be away for minutes.
    var isRemote: Bool {
        switch self {
        case .webhook, .webhookBatches, .stream: true
        case .builtIn, .exec, .execStream: false
        }
    }

    func handling(_ dependencies: BuiltInHandler.Dependencies) -> Handling {
        switch self {
        case .builtIn(let handler): return handler.handler(dependencies)
        case .exec(let words, let hidden):
            let handler = ExecHandler(words, replica: dependencies.replica, without: hidden)
            return .one { try await handler($0, $1) }
        case .execStream(let handler):
            handler.log(to: dependencies.logger)
            return .one { try await handler($0, $1) }
        // The processor has it done by the stream's writer.
        case .stream: return .one { _, _ in }
        case .webhook(let handler): return .one { try await handler($0, $1) }
        case .webhookBatches(let handler):
            return .batches({ try await handler($0, $1) }, limit: handler.size, buried: handler.buried)
        }
    }

    func shutDown() async {
        switch self {
        case .webhook(let handler): await handler.shutDown()
        case .webhookBatches(let handler): await handler.shutDown()
        case .execStream(let handler): await handler.shutDown()
        case .builtIn, .exec, .stream: break
        }
    }
}

extension ProcessorConfiguration {
    /// A receiver may be away for a quarter of an hour: so long the logs keep, within their bytes, and so
    /// long is tried again.
    fileprivate static let outage = Duration.seconds(15 * 60)

    mutating func outlastsOutages(_ values: OptionValues) {
        if !values.isGiven(Running.logAge.row) { logAge = Self.outage }
        // With the standard delays, and the least that chance leaves of each.
        if !values.isGiven(Running.retries.row) { retries = 68 }
    }
}
