//! A batch's rows, a page of them at a time.

use maud::{Markup, html};
use serde::Deserialize;
use store::{BatchOverview, Counts, DisplayedRow, RowPage, is_displayed_state};

use super::access::roles::{Action, Role};
use super::own::Own;
use super::words;

/// Rows on a page.
pub const ROWS: usize = 50;
/// How many pages a reader can go back, one by one.
const LONGEST_TRAIL: usize = 100;

/// Rows as they were read, with the user's own columns.
pub struct Page {
    /// The user's own columns that are shown.
    pub own: Own,
    /// The rows.
    pub shown: RowPage,
}

/// Which rows are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Wanted {
    state: Option<String>,
    /// The row that the page begins after.
    #[serde(default, deserialize_with = "lenient")]
    pub after: i64,
    /// Where the pages before this one began, `0.57.300`. Rows of one state are anywhere, so the start of a page does
    /// not show where the page before it starts.
    #[serde(default)]
    back: String,
}

/// Reads a number from the address. A value that is no number counts as 0: a typing error is no reason for an error
/// page.
pub fn lenient<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    Ok(String::deserialize(deserializer)?.trim().parse().unwrap_or(0).max(0))
}

impl Wanted {
    fn first(state: Option<&str>) -> Wanted {
        Wanted { state: state.map(str::to_owned), ..Wanted::default() }
    }

    /// The state that is asked for, if there is such a state.
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref().filter(|state| is_displayed_state(state))
    }

    fn trail(&self) -> Vec<i64> {
        self.back.split('.').filter_map(|text| text.parse().ok()).filter(|n| *n >= 0).collect()
    }

    fn next(&self, after: i64) -> Wanted {
        let mut trail = self.trail();
        trail.push(self.after);
        let too_many = trail.len().saturating_sub(LONGEST_TRAIL);
        Wanted { after, ..Wanted::at_the_end_of(&trail[too_many..], self.state()) }
    }

    fn previous(&self) -> Option<Wanted> {
        if let Some((after, before)) = self.trail().split_last() {
            return Some(Wanted { after: *after, ..Wanted::at_the_end_of(before, self.state()) });
        }
        let counted_back = self.after > 0 && self.state().is_none();
        let after = (self.after - ROWS as i64).max(0);
        counted_back.then(|| Wanted { after, ..Wanted::default() })
    }

    fn at_the_end_of(trail: &[i64], state: Option<&str>) -> Wanted {
        let back: Vec<String> = trail.iter().map(i64::to_string).collect();
        Wanted { back: back.join("."), ..Wanted::first(state) }
    }

    fn address(&self, batch: &BatchOverview) -> String {
        let mut query = Vec::new();
        query.extend(self.state().map(|state| format!("state={state}")));
        query.extend((self.after > 0).then(|| format!("after={}", self.after)));
        query.extend((!self.back.is_empty()).then(|| format!("back={}", self.back)));
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        format!("/batches/{}{query}", batch.batch_id)
    }
}

/// The rows, with a chip for each state above and a pager below.
pub fn section(batch: &BatchOverview, wanted: &Wanted, page: &Page, role: Role) -> Markup {
    let Page { own, shown: page } = page;
    let (counts, people) = (batch.counts(), role.may(Action::SeePeople));
    html! {
        section aria-labelledby="rows" {
            div.section-head {
                h2 #rows { "Rows" }
                p.muted.small {
                    @if people { "Numbers are masked here; the export has them." }
                    @else { "The role " (role) " sees no people." }
                }
            }
            (chips(batch, &counts, wanted))
            div.card.table-card {
                @if page.rows.is_empty() {
                    (no_rows(wanted, page))
                } @else {
                    table.table.rows {
                        thead { tr {
                            th scope="col" { "Row" }
                            @if people {
                                @for name in own.names() { th scope="col" { (words::short(name, 40)) } }
                                th scope="col" { "Person" }
                            }
                            th scope="col" { "State" }
                            @if people { th scope="col" { "Numbers" } }
                            th.num scope="col" { "Credits" } th.num scope="col" { "Updated" }
                        } }
                        tbody { @for row in &page.rows { (row_of(row, own, people)) } }
                    }
                }
                (pager(batch, wanted, page))
            }
        }
    }
}

fn chips(batch: &BatchOverview, counts: &Counts, wanted: &Wanted) -> Markup {
    let chip = |state: Option<&str>, word: &str, n: i64| {
        let current = (wanted.state() == state).then_some("true");
        html! {
            a href=(Wanted::first(state).address(batch)) aria-current=[current] { (word) span { (words::number(n)) } }
        }
    };
    html! {
        nav.chips aria-label="States" {
            (chip(None, "All", batch.total))
            @for (state, n) in counts.by_state() {
                @if n > 0 || wanted.state() == Some(state) { (chip(Some(state), words::state(state), n)) }
            }
        }
    }
}

fn no_rows(wanted: &Wanted, page: &RowPage) -> Markup {
    let state = wanted.state().map(words::state).unwrap_or_default().to_lowercase();
    html! {
        div.empty {
            @if let Some(row) = page.next_after {
                strong { "None so far" }
                "No row is " (state) " up to row " (words::number(row)) "; there are more to look through."
            } @else if state.is_empty() {
                strong { "No more rows" }
            } @else {
                strong { "No row is " (state) }
                "Rows change their state while a batch runs."
            }
        }
    }
}

fn row_of(row: &DisplayedRow, own: &Own, people: bool) -> Markup {
    let class = match row.state.as_str() {
        "found" => "good",
        "failed" => "bad",
        "held" | "retrying" | "expired" => "warn",
        "awaiting" | "sending" => "busy",
        _ => "",
    };
    html! {
        tr id={ "row-" (row.row_number) } {
            td.no.muted { (words::number(row.row_number)) }
            @if people {
                @for (value, place) in own.values(row).iter().zip(1..) {
                    td class={ "own own-" (place) } { (words::short(value, 60)) }
                }
                td.person { (person(row)) @if let Some(provider) = &row.provider { small { (provider) } } }
            }
            td.state {
                span class={ "pill " (class) } { (words::state(&row.state)) }
                @if let Some(reason) = &row.reason { small { (words::reason(reason)) } }
                @if let Some(at) = &row.next_attempt_at { small { "next " (words::moment(at)) } }
            }
            @if people { td.phones { @for phone in &row.phones { div.nowrap { (phone) } } } }
            td.num.credits data-label="Credits" { (row.credits.grouped()) @if row.shared { small { "shared" } } }
            td.num.updated.muted data-label="Updated" { @if let Some(at) = &row.updated_at { (words::moment(at)) } }
        }
    }
}

/// Returns the row's person, without the `https://www.` that LinkedIn addresses begin with.
fn person(row: &DisplayedRow) -> String {
    let person = row.person.as_deref().unwrap_or("–");
    words::short(person.strip_prefix("https://www.").unwrap_or(person), 80)
}

fn pager(batch: &BatchOverview, wanted: &Wanted, page: &RowPage) -> Markup {
    html! {
        div.pager {
            @if let (Some(first), Some(last)) = (page.rows.first(), page.rows.last()) {
                "Rows " (words::number(first.row_number)) " to " (words::number(last.row_number))
            }
            span.end {
                @if wanted.after > 0 {
                    a.button #first href=(Wanted::first(wanted.state()).address(batch)) { "First" }
                }
                @if let Some(previous) = wanted.previous() {
                    a.button #previous href=(previous.address(batch)) { "Previous" }
                }
                @if let Some(after) = page.next_after {
                    a.button #next href=(wanted.next(after).address(batch)) {
                        @if page.rows.len() < ROWS { "Look further" } @else { "Next" }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_the_way_there() {
        let mut wanted = Wanted::first(Some("failed"));
        let mut visited = vec![wanted.clone()];
        for after in [57, 300, 1_000] {
            wanted = wanted.next(after);
            visited.push(wanted.clone());
        }
        while let Some(expected) = visited.pop() {
            assert_eq!(wanted, expected);
            if let Some(previous) = wanted.previous() {
                wanted = previous;
            }
        }
        assert_eq!(wanted.previous(), None);
    }

    #[test]
    fn without_a_trail_rows_are_counted_back() {
        let at = |after, state: Option<&str>| Wanted { after, ..Wanted::first(state) };
        assert_eq!(at(120, None).previous().map(|p| p.after), Some(70));
        assert_eq!(at(20, None).previous().map(|p| p.after), Some(0));
        assert_eq!(at(120, Some("failed")).previous(), None);
        assert_eq!(at(0, None).previous(), None);
    }

    #[test]
    fn a_trail_is_short_and_holds_numbers_alone() {
        let odd = Wanted { back: "0.x.<b>.70".into(), after: 120, state: None };
        assert_eq!(odd.trail(), [0, 70]);
        let mut wanted = Wanted::default();
        for page in 1..1_000 {
            wanted = wanted.next(page * 50);
        }
        assert_eq!(wanted.trail().len(), LONGEST_TRAIL);
        assert_eq!(wanted.previous().map(|p| p.after), Some(998 * 50));
    }
}
