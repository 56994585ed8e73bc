//! The outcome of the last action, shown once on the next page. It travels in a cookie, not in the address: a link
//! can't show it to a visitor who did nothing.

use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Redirect, Response};
use jobs::Provider;
use maud::{Markup, html};

use super::{cookies, live, words};

const COOKIE_NAME: &str = "reveal_queue_notice";
/// Seconds that the cookie lives; the browser asks for the next page at once.
const LIFE: u64 = 60;

/// The outcome of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// A provider is paused.
    Paused(Provider),
    /// A provider is asked again.
    Resumed(Provider),
    /// A provider is not paused, but no worker can use it.
    Off(Provider),
    /// This many rows were cancelled.
    Cancelled(i64),
    /// This many rows are asked for once more.
    Retried(i64),
    /// A batch's ceiling is set.
    CeilingSet(Provider),
}

impl Notice {
    /// Sends the browser to `path`, which shows the notice.
    pub fn on(self, path: &str, headers: &HeaderMap) -> Response {
        let cookie = cookies::set(headers, COOKIE_NAME, &self.encode(), LIFE);
        ([(SET_COOKIE, cookie)], Redirect::to(path)).into_response()
    }

    /// Returns the notice for a whole page. The page's script asks again and again, and gets none.
    pub fn of(headers: &HeaderMap) -> Option<Notice> {
        let value = cookies::read(headers, COOKIE_NAME).filter(|_| !live::is_wanted(headers))?;
        Notice::decode(value)
    }

    /// Deletes the cookie of a notice that `page` shows.
    pub fn said(notice: Option<Notice>, headers: &HeaderMap, mut page: Response) -> Response {
        let gone = cookies::set(headers, COOKIE_NAME, "", 0);
        if let (Some(_), Ok(gone)) = (notice, HeaderValue::from_str(&gone)) {
            page.headers_mut().append(SET_COOKIE, gone);
        }
        page
    }

    /// Renders the notice.
    pub fn shown(notice: Option<Notice>) -> Markup {
        html! { @if let Some(notice) = notice { p.notice role="status" { (notice.text()) } } }
    }

    fn text(self) -> String {
        match self {
            Notice::Paused(at) => {
                format!("{} is paused. What is paid for is still received.", words::provider(at))
            }
            Notice::Resumed(at) => format!("{} is asked again.", words::provider(at)),
            Notice::Off(at) => {
                format!("{} is no longer paused, but no worker can use it.", words::provider(at))
            }
            Notice::Cancelled(n) => {
                format!(
                    "Cancelled: {} ended. What is out is still received.",
                    words::count(n, "row")
                )
            }
            Notice::Retried(n) => format!("{} will be asked once more.", words::count(n, "row")),
            Notice::CeilingSet(at) => format!("The ceiling at {} is set.", words::provider(at)),
        }
    }

    fn encode(self) -> String {
        match self {
            Notice::Paused(at) => format!("paused.{at}"),
            Notice::Resumed(at) => format!("resumed.{at}"),
            Notice::Off(at) => format!("off.{at}"),
            Notice::Cancelled(n) => format!("cancelled.{n}"),
            Notice::Retried(n) => format!("retried.{n}"),
            Notice::CeilingSet(at) => format!("ceiling.{at}"),
        }
    }

    fn decode(text: &str) -> Option<Notice> {
        let (what, of) = text.split_once('.')?;
        let (provider, rows) = (of.parse::<Provider>(), of.parse::<i64>());
        Some(match what {
            "paused" => Notice::Paused(provider.ok()?),
            "resumed" => Notice::Resumed(provider.ok()?),
            "off" => Notice::Off(provider.ok()?),
            "ceiling" => Notice::CeilingSet(provider.ok()?),
            "cancelled" => Notice::Cancelled(rows.ok()?),
            "retried" => Notice::Retried(rows.ok()?),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_arrives_as_it_was_sent() {
        use Notice::*;
        for notice in [
            Paused(Provider::Ocean),
            Resumed(Provider::Clodura),
            Off(Provider::Ocean),
            Cancelled(3),
            Retried(0),
            CeilingSet(Provider::Clodura),
        ] {
            assert_eq!(Notice::decode(&notice.encode()), Some(notice));
        }
        for odd in ["", "paused", "paused.elsewhere", "cancelled.ocean", "erased.ocean"] {
            assert_eq!(Notice::decode(odd), None, "{odd}");
        }
    }
}
