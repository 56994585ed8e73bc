use crate::Provider::{Clodura, Ocean};
use crate::RevealState::{Asked, Expired, Failed, Found, Idle, NotFound, Queued, Retrying};
use crate::identity::choice::*;
use crate::{RevealState, Timestamp};

fn reveal(id: i64, subject: &str, generation: i64, state: RevealState) -> Standing<'_> {
    let answered = matches!(state, Found | NotFound);
    Standing { id, subject, generation, state, revealed_at: answered.then_some(Timestamp(100)) }
}

#[test]
fn one_order_says_which_reveal_counts() {
    let order = [Found, Asked, Queued, NotFound, Expired, Idle];
    for (nth, better) in order.iter().enumerate() {
        for worse in &order[nth + 1..] {
            let (a, b) = (reveal(1, "clodura:a", 0, *worse), reveal(2, "clodura:b", 0, *better));
            for all in [[a, b], [b, a]] {
                assert_eq!(
                    counting(&all, None).map(|it| it.id),
                    Some(2),
                    "{better} before {worse}"
                );
            }
        }
    }
    assert_eq!(counting(&[reveal(1, "clodura:a", 0, Failed)], None), None);
}

#[test]
fn what_is_out_or_waits_is_never_asked_anew() {
    let old = reveal(1, "clodura:a", 0, Found);
    let limit = Some(Timestamp(200));
    for state in [Asked, Queued, Retrying] {
        let all = [old, reveal(2, "linkedin.com/in/a", 0, state)];
        assert_eq!(counting(&all, limit).map(|it| it.id), Some(2), "{state}");
        assert_eq!(counting(&all, None).map(|it| it.id), Some(1), "{state}");
    }
    assert_eq!(counting(&[old], limit), None);
    assert_eq!(counting(&[old], Some(Timestamp(100))), Some(old));
    assert_eq!(next_generation(&[old]), 1);
}

#[test]
fn only_what_was_not_sent_gives_way() {
    let winner = reveal(1, "clodura:a", 1, Found);
    for state in RevealState::ALL {
        let waits = matches!(state, Idle | Queued | Retrying);
        assert_eq!(
            gives_way(&reveal(2, "linkedin.com/in/a", 0, *state), &winner),
            waits,
            "{state}"
        );
        let newer = reveal(2, "linkedin.com/in/a", 2, *state);
        assert!(!gives_way(&newer, &winner), "it may have been wanted for being newer");
        assert!(!gives_way(&reveal(2, "clodura:a", 0, *state), &winner), "another generation");
    }
    let (a, b) = (reveal(1, "clodura:a", 0, Queued), reveal(2, "linkedin.com/in/a", 0, Queued));
    assert!(gives_way(&b, &a) && !gives_way(&a, &b));
}

#[test]
fn a_refused_identifier_decides_nothing_while_there_is_another() {
    let (address, own, other) = ("linkedin.com/in/a", "clodura:a", "ocean:a");
    let refused = reveal(1, address, 0, Failed);
    let known = [other, own];
    assert_eq!(asked_by(Clodura, &address, &known, &[refused]), &own);
    assert_eq!(asked_by(Clodura, &own, &known[..1], &[reveal(1, own, 0, Failed)]), &own);
    assert_eq!(
        asked_by(Clodura, &address, &[address, own], &[reveal(1, own, 0, Failed)]),
        &address
    );
    assert_eq!(asked_by(Ocean, &other, &[own, address], &[]), &other);
    assert_eq!(asked_by(Clodura, &address, &[own, address], &[]), &own, "an id before an address");
}
