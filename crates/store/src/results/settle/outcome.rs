//! What one finding changes: the cost for a call's member, and the person, if the finding says more than was known.

#[cfg(test)]
mod tests;

use jobs::outcome::{Finding, PersonResult, Phone};
use jobs::{Credits, RevealState};

use crate::results::settle::ledger::{Ledger, Member, Person};

/// The outcome of placing a finding.
pub(super) enum Placed {
    New,
    Known,
    Erased,
    /// The person is said to be found, and no number can be read.
    Unread,
}

impl Ledger {
    /// Whether a finding is charged to a member: a number as the first answer, or a number that comes after 'not found' or
    /// 'no credits', which is charged as if it had come at once.
    pub(super) fn is_charged(&self, index: usize, finding: &Finding) -> bool {
        let member = &self.members[index];
        let Some(person) = self.people.get(&member.reveal) else { return false };
        let standing = person.new_state.unwrap_or(person.state);
        let later = member.credits == Some(Credits::ZERO)
            && RevealState::Found.rank() > standing.rank()
            && is_believed(standing, finding)
            && person.state != RevealState::Cancelled;
        matches!(finding, Finding::Found { .. }) && (member.credits.is_none() || later)
    }

    /// Writes a finding to a member of a call, and to the person; `charged` is the cost of the numbers, if it is known.
    pub(super) fn place(
        &mut self,
        index: usize,
        result: &PersonResult,
        charged: Option<Credits>,
    ) -> Placed {
        let finding = &result.finding;
        let better = self.is_charged(index, finding);
        let member = &mut self.members[index];
        let Some(person) = self.people.get_mut(&member.reveal) else { return Placed::Known };
        let erased = person.state == RevealState::Cancelled;
        if !erased && !is_believed(person.new_state.unwrap_or(person.state), finding) {
            return Placed::Unread;
        }
        let (to, charged, phones): (RevealState, Credits, &[Phone]) = match finding {
            Finding::InProgress | Finding::Unreadable if erased => return Placed::Erased,
            Finding::InProgress => return Placed::New,
            // The numbers may have been paid for, so the person stays open: a number may come in another body, or a later
            // version may read this one.
            Finding::Unreadable => {
                return if person.has_number() { Placed::Known } else { Placed::Unread };
            }
            Finding::Found { phones, .. } => {
                (RevealState::Found, charged.unwrap_or(member.reserved.abs()), phones)
            }
            Finding::NotFound => (RevealState::NotFound, Credits::ZERO, &[]),
            Finding::OutOfCredits => (RevealState::Queued, Credits::ZERO, &[]),
        };
        let standing = person.new_state.unwrap_or(person.state);
        let first_answer = member.credits.is_none();
        if first_answer || better {
            charge(member, person, finding, to, charged);
        }
        member.answered |= first_answer;
        if erased {
            return Placed::Erased;
        }
        if finding == &Finding::OutOfCredits {
            if first_answer {
                self.out_of_credits.insert(person.provider);
            }
            // A person who is in another call by now is not asked a third time.
            if first_answer && member.current && !standing.is_finished() {
                person.new_state = Some(RevealState::Queued);
            }
        } else if to.rank() > standing.rank() {
            person.new_state = Some(to);
            person.phones = phones.to_vec();
            person.remark = result.remark.clone();
            return Placed::New;
        }
        if first_answer { Placed::New } else { Placed::Known }
    }
}

/// Whether a finding may change what is known. A person who was answered without a number is found only by a number that is
/// valid by its numbering plan: a webhook address that has leaked must not turn final results into anything else.
fn is_believed(standing: RevealState, finding: &Finding) -> bool {
    match finding {
        Finding::Found { phones, .. } if standing == RevealState::NotFound => {
            phones.iter().any(|phone| phone.e164.is_some())
        }
        _ => true,
    }
}

impl Person {
    fn has_number(&self) -> bool {
        self.new_state.unwrap_or(self.state) == RevealState::Found
    }
}

/// Charges a first answer, or a number that came after 'not found' or 'no credits'.
fn charge(
    member: &mut Member,
    person: &mut Person,
    finding: &Finding,
    to: RevealState,
    charged: Credits,
) {
    let first_answer = member.credits.is_none();
    let asked = member.reserved.is_positive() && !member.unasked;
    let after_all = !first_answer && (member.reserved < Credits::ZERO || member.unasked);
    if after_all {
        // The person was asked after all, which this transaction has not counted yet.
        member.asked_after_all = !member.unasked;
        member.unasked = false;
    }
    member.credits = Some(charged);
    member.changed = true;
    member.spent += charged;
    member.found = to == RevealState::Found && (first_answer || asked || after_all);
    member.unasked |= finding == &Finding::OutOfCredits;
    member.not_found += match finding {
        Finding::NotFound => 1,
        // The number replaces an earlier 'not found'.
        Finding::Found { .. } if !first_answer && asked => -1,
        _ => 0,
    };
    person.credits += charged;
}
