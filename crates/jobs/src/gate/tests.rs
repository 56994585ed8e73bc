use super::*;
use GateReason::{
    CreditsInsufficient, CreditsPending, EverythingRefused, Misconfigured, ProviderBroken,
    RateLimited,
};

const NOW: Timestamp = Timestamp(1_000_000_000);
const MINUTE: Duration = Duration::from_secs(60);

pub(super) fn open() -> Breaker {
    Breaker {
        state: GateState::Open,
        reason: None,
        paused: false,
        closed_at: None,
        until: None,
        step: 0,
        probe_out: false,
        broken_streak: 0,
        broken_free_requests: 0,
        outage: None,
    }
}

fn close(gate: &Breaker, reason: GateReason, until: Until, now: Timestamp) -> Breaker {
    let closing = Closing { reason, message: None, until };
    gate.closed(&closing, &Policy::default(), now).unwrap_or_else(|| gate.clone())
}

fn half_open(gate: &Breaker) -> Breaker {
    Breaker { state: GateState::Probing, until: Some(NOW), ..gate.clone() }
}

#[test]
fn what_a_reveal_finds() {
    let at = |reason, until| Breaker {
        state: GateState::Closed,
        reason: Some(reason),
        closed_at: Some(NOW),
        until,
        ..open()
    };
    let later = NOW + MINUTE;
    let probe = |small| Admission::Probe { small };
    for (gate, want) in [
        (open(), Admission::Open),
        (Breaker { broken_streak: 1, ..open() }, Admission::Careful),
        (Breaker { broken_free_requests: 1, ..open() }, Admission::Careful),
        (Breaker { paused: true, ..open() }, Admission::Shut(None)),
        (at(RateLimited, Some(later)), Admission::Shut(Some(later))),
        (at(RateLimited, Some(NOW)), probe(false)),
        (at(CreditsPending, Some(NOW)), probe(true)),
        (at(EverythingRefused, Some(NOW)), probe(true)),
        (at(CreditsInsufficient, None), Admission::Shut(None)),
        (at(Misconfigured, None), Admission::Shut(None)),
        (at(ProviderBroken, Some(NOW)), Admission::Shut(None)),
        (half_open(&at(ProviderBroken, None)), probe(true)),
        (
            Breaker { probe_out: true, ..half_open(&at(ProviderBroken, None)) },
            Admission::Shut(None),
        ),
        (Breaker { paused: true, ..at(RateLimited, Some(NOW)) }, Admission::Shut(None)),
    ] {
        assert_eq!(gate.admission(NOW), want, "{gate:?}");
    }
}

#[test]
fn the_step_is_kept_on_probation() {
    let mut gate = open();
    let mut now = NOW;
    for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
        gate = close(&gate, ProviderBroken, Until::Backoff, now);
        assert_eq!(gate.until, Some(now + minutes * MINUTE), "{gate:?}");
        // The balance is fine; the reveal that is tried then is not.
        now = now + minutes * MINUTE;
        gate = Breaker { probe_out: true, ..half_open(&gate) };
        assert!(gate.breaks(AnswerTo::Probe) && !gate.breaks(AnswerTo::Order));
    }
}

#[test]
fn five_broken_answers_in_a_row_close_it() {
    for (orders, free_requests, to, breaks) in [
        (3, 9, AnswerTo::Order, false),
        (4, 0, AnswerTo::Order, true),
        (9, 3, AnswerTo::FreeRequest, false),
        (0, 4, AnswerTo::FreeRequest, true),
    ] {
        let gate = Breaker { broken_streak: orders, broken_free_requests: free_requests, ..open() };
        assert_eq!(gate.breaks(to), breaks, "{gate:?}");
        let shut = close(&gate, RateLimited, Until::Backoff, NOW);
        assert!(!shut.breaks(to));
    }
}

#[test]
fn answers_to_earlier_requests_make_it_no_worse() {
    let first = close(&open(), CreditsPending, Until::Backoff, NOW);
    let again = close(&first, CreditsPending, Until::Backoff, NOW + MINUTE / 2);
    assert_eq!(again.step, 0);
    let day = close(&open(), RateLimited, Until::After(1440 * MINUTE), NOW);
    assert_eq!(close(&day, CreditsPending, Until::Backoff, NOW), day);
    assert_eq!(close(&day, RateLimited, Until::After(MINUTE), NOW).until, day.until);
    let wrong = close(&open(), Misconfigured, Until::Fixed, NOW);
    assert_eq!(close(&wrong, RateLimited, Until::Backoff, NOW), wrong);
    assert_eq!(close(&day, Misconfigured, Until::Fixed, NOW).until, None);
}

#[test]
fn polls_and_balances_wait_for_some_of_it() {
    let later = NOW + MINUTE;
    let limited = close(&open(), RateLimited, Until::After(MINUTE), NOW);
    assert_eq!(limited.free_requests_wait(NOW), Some(Some(later)));
    assert_eq!(limited.free_requests_wait(later), None);
    assert_eq!(close(&open(), CreditsPending, Until::Backoff, NOW).free_requests_wait(NOW), None);
    let wrong = close(&open(), Misconfigured, Until::Fixed, NOW);
    assert_eq!(wrong.free_requests_wait(later), Some(None));
    assert_eq!(half_open(&wrong).free_requests_wait(NOW), None);
}

#[test]
fn a_clock_that_is_set_back_lengthens_nothing() {
    let gate = close(&open(), RateLimited, Until::After(MINUTE), NOW);
    let two_days_before = NOW - 2880 * MINUTE;
    assert_eq!(gate.admission(two_days_before), Admission::Probe { small: false });
    assert_eq!(gate.free_requests_wait(two_days_before), None);
    let again = close(&gate, RateLimited, Until::After(MINUTE), two_days_before);
    assert_eq!(again.until, Some(two_days_before + MINUTE));
}

#[test]
fn a_pause_that_ends_opens_nothing_that_time_opens() {
    let paused = |gate: Breaker| Breaker { paused: true, ..gate };
    let limited = close(&open(), RateLimited, Until::After(MINUTE), NOW);
    let wrong = close(&open(), Misconfigured, Until::Fixed, NOW);
    for (gate, want) in [
        (open(), Resume::Nothing),
        (half_open(&limited), Resume::Nothing),
        (paused(open()), Resume::Unpause),
        (paused(half_open(&limited)), Resume::Unpause),
        (paused(limited.clone()), Resume::Unpause),
        (limited, Resume::TryNow),
        (wrong.clone(), Resume::TryNow),
        (paused(wrong), Resume::TryNow),
    ] {
        assert_eq!(gate.resume(NOW), want, "{gate:?}");
    }
}

/// A gate on probation for `reason`, after `step` failed probes.
fn on_probation(reason: GateReason, step: i64) -> Breaker {
    Breaker {
        state: GateState::Probing,
        reason: Some(reason),
        until: Some(NOW),
        step,
        probe_out: true,
        ..open()
    }
}

#[test]
fn credits_that_run_out_end_no_probation() {
    for outage in [ProviderBroken, EverythingRefused] {
        for before in [
            on_probation(outage, 3),
            Breaker { state: GateState::Closed, ..on_probation(outage, 3) },
        ] {
            let empty = close(&before, CreditsInsufficient, Until::Fixed, NOW);
            assert_eq!((empty.reason, empty.step), (Some(CreditsInsufficient), 0));
            let filled = empty.ended(NOW + MINUTE);
            assert_eq!(filled.admission(NOW + MINUTE), Admission::Probe { small: true });
            assert_eq!((filled.reason, filled.step, filled.outage), (Some(outage), 3, None));
            let again = close(&filled, outage, Until::Backoff, NOW + MINUTE);
            assert_eq!(again.step, 4, "the backoff goes on where it was");
        }
    }
}

#[test]
fn an_outage_outlasts_several_other_reasons() {
    let mut gate = on_probation(ProviderBroken, 2);
    for (reason, until) in [
        (CreditsPending, Until::Backoff),
        (RateLimited, Until::After(MINUTE)),
        (CreditsInsufficient, Until::Fixed),
    ] {
        gate = close(&gate, reason, until, NOW);
        assert_eq!(gate.outage, Some(Outage { reason: ProviderBroken, step: 2 }));
        gate = Breaker { until: gate.until.map(|_| NOW), ..gate };
    }
    let probe = Breaker { state: GateState::Probing, probe_out: true, ..gate };
    assert_eq!(close(&probe, ProviderBroken, Until::Backoff, NOW).step, 3);
    assert_eq!(probe.probe_answered(NOW).reason, Some(ProviderBroken));
}

#[test]
fn the_probe_after_a_limit_is_small_on_probation() {
    let limited = close(&on_probation(ProviderBroken, 1), RateLimited, Until::After(MINUTE), NOW);
    assert_eq!(limited.admission(NOW + MINUTE), Admission::Probe { small: true });
}

#[test]
fn without_an_outage_what_is_over_is_over() {
    for reason in [CreditsInsufficient, CreditsPending, RateLimited, Misconfigured] {
        let gate = close(&Breaker { broken_streak: 2, ..open() }, reason, Until::Fixed, NOW);
        let ended = gate.ended(NOW);
        assert_eq!((ended.state, ended.reason, ended.step), (GateState::Open, None, 0));
        assert_eq!(ended.admission(NOW), Admission::Careful, "the last answer was broken");
    }
}

#[test]
fn a_sensible_answer_ends_no_probation_of_a_broken_provider() {
    let answered = |reason| on_probation(reason, 1).probe_answered(NOW);
    let broken = answered(ProviderBroken);
    assert_eq!((broken.state, broken.step), (GateState::Probing, 1));
    assert_eq!(broken.admission(NOW), Admission::Probe { small: true });
    assert_eq!(answered(CreditsPending).state, GateState::Open);
    assert_eq!(answered(EverythingRefused).state, GateState::Open);
}
