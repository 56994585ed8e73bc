//! Pages that stay up to date: a small script fetches the same address again with a header, gets only the parts that
//! may have changed, and puts them in place of the present ones.

use axum::http::HeaderMap;
use maud::{Markup, html};

/// The header of a page's own script.
const HEADER: &str = "x-live";

/// Whether the page's script asks: it needs no head, no style and no script again.
pub fn is_wanted(headers: &HeaderMap) -> bool {
    headers.contains_key(HEADER)
}

/// A part of a page that the script replaces. `id` distinguishes it from the page's other parts.
pub fn part(id: &'static str, content: Markup) -> Markup {
    html! { div data-live=(id) { (content) } }
}
