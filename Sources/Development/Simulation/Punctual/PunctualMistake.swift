/// Deliberate mistakes about punctuality, each at the simulated edge, never in the product.
package enum PunctualMistake: String, CaseIterable, Sendable {
    /// Nudges go by the own clock.
    case localClock = "local-clock"
    /// A hint for a known key is passed over.
    case shortenedTTLMissed = "shortened-ttl-missed"
    /// Gone once is gone.
    case goneForgets = "gone-forgets"
    /// What a server redirects is dropped.
    case forgottenAtMoved = "forgotten-at-moved"
    /// A deadline that is handed on with an unanswered question counts as sure.
    case doubtForgotten = "doubt-forgotten"
    /// ASKING is left out.
    case askingForgotten = "asking-forgotten"
    /// A server that calls itself the master is believed though its writes are paused.
    case pauseOverlooked = "pause-overlooked"
    /// What is left of a key's life is counted from a time told before the server's clock was set.
    case clockNotChecked = "clock-not-checked"
    /// No sweep makes up for what was set before the term, or while no hints were heard.
    case notCaughtUp = "not-caught-up"
    /// No sweep looks for what came with slots.
    case arrivalsOverlooked = "arrivals-overlooked"
    /// Each hint is a question.
    case everyHintAsks = "every-hint-asks"
}
