/// Something that the software does to keep a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// A call and its people are committed before its first byte leaves.
    WrittenBeforeSent,
    /// A call whose first byte would leave more than five seconds after that commit goes back unsent.
    FreshWhenSent,
    /// A refusal ends a call only while nothing else has decided about it, and moves only people who are still in it.
    RefusalsAreFenced,
    /// The calls of a worker without a heartbeat are taken over.
    TakesOver,
    /// A call that is taken over may have left: it waits for its result.
    TakenOverIsUnknown,
    /// A call without a result ends at its deadline.
    HasDeadline,
    /// An expired call may have been paid for: its credits stay counted.
    ExpiredStaysCounted,
    /// Credits are reserved before the request leaves.
    Reserves,
    /// A result counts however late it comes.
    LateResultsCount,
    /// A late result also answers newer requests for the same person, whether they wait or are out.
    LateResultsAnswerNewer,
    /// `UNKNOWN_GRACE` repeats no call that brought a result.
    AnsweredIsNotRepeated,
    /// A person who waits for a repeat waits for the first request instead, once that is known to be accepted.
    TakesBack,
    /// A better result replaces a worse one, never the other way round.
    KeepsTheBetter,
    /// Results of erased people are discarded.
    DiscardsErased,
    /// A webhook is answered with 200 once its body is stored.
    StoredBeforeConfirmed,
}

/// The size of the searched model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Most calls.
    pub calls: usize,
    /// Most people in one call.
    pub people_per_call: usize,
    /// Credits that the batch may cost; a number costs one.
    pub ceiling: i64,
    /// Bodies that the provider sends for one person of a call.
    pub bodies: u8,
    /// Whether the provider may send a wrong result in addition to the right one.
    pub contradicts: bool,
    /// Whether `UNKNOWN_GRACE` is set.
    pub grace: bool,
    /// Whether the user asks again for expired people, once for each.
    pub pays_again: bool,
    /// Whether the user erases people.
    pub erases: bool,
}

/// The bounds of the search, and the guard that it lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// The size of the model.
    pub bounds: Bounds,
    /// The guard that is removed.
    pub without: Option<Guard>,
}

impl Rules {
    /// Whether a guard is in force.
    #[must_use]
    pub fn has(&self, guard: Guard) -> bool {
        self.without != Some(guard)
    }
}
